"""Saves and restores the state of processes that mmengine does not save.

It consists of the gradients between the steps of an accumulation, which mmengine sums in each process separately, and
of the running statistics of batch normalization, which processes average only at the end of an epoch.
"""

from typing import Dict, List, Optional

import torch
from mmengine.dist import gather_object, get_rank, get_world_size
from mmpretrain.utils import get_ori_model
from torch import nn

# The key in a checkpoint. It has ``gradients`` and ``buffers``, each with a list by rank for each name.
_KEY = 'process_state'
_ByRank = List[Optional[torch.Tensor]]


def _gather_state(model: nn.Module) -> Dict[str, Dict[str, _ByRank]]:
    """The entries for a checkpoint, valid in the main process; empty unless processes differ or gradients accumulate.

    Every process must call it. On a GPU it waits for the device.
    """
    model = get_ori_model(model)
    gradients = {name: _gather(parameter.grad) for name, parameter in model.named_parameters()}
    buffers = {name: _gather(buffer) for name, buffer in model.named_buffers()} if get_world_size() > 1 else {}
    state = dict(
        gradients={name: found for name, found in gradients.items() if any(grad is not None for grad in found)},
        buffers={name: found for name, found in buffers.items() if any(not found[0].equal(one) for one in found)},
    )
    return {_KEY: state} if any(state.values()) else {}


def _gather(tensor: Optional[torch.Tensor]) -> _ByRank:
    """The tensors of all processes in the main process; an empty list in the others."""
    return gather_object(None if tensor is None else tensor.cpu()) or []


def _restore_state(model: nn.Module, checkpoint: dict) -> None:
    """Restores the gradients of this process, and its buffers in ``checkpoint['state_dict']``.

    If the number of processes has changed, each gets the means, so that averages over processes stay the same.
    """
    state = checkpoint.pop(_KEY, None)
    if state is None:
        return
    for name, parameter in get_ori_model(model).named_parameters():
        found = state['gradients'].get(name)
        if found and (gradient := _own(found)) is not None:
            # empty_like keeps the memory layout of the weight.
            parameter.grad = torch.empty_like(parameter).copy_(gradient)
    checkpoint['state_dict'].update({name: _own(found) for name, found in state['buffers'].items()})


def _own(found: _ByRank) -> Optional[torch.Tensor]:
    if len(found) == get_world_size():
        return found[get_rank()]
    return sum(tensor for tensor in found if tensor is not None) / len(found)
