"""The ways of predicting that are compared: uint8 images ``(N, 3, H, W)`` on the device to probabilities."""

import copy
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List

import torch
from mmpretrain.models import ImageClassifier
from torch import nn

from imcnn_plugin.apis import optimize_for_inference
from imcnn_plugin.engine import load_config

from .gpu_use import busy_share, peak_memory
from .network import Network, build_model
from .reference_model import copy_weights
from .timing import cell, format_seconds, summarize, times_as_fast

OBVIOUS = 'obvious, float32 (a)'


class PlainPredictor(nn.Module):
    """A classifier as it is trained.

    Args:
        model: In evaluation mode.
        dtype: bfloat16 runs it under autocast.
        memory_format: Of its weights and images.
    """

    def __init__(
        self, model: ImageClassifier, dtype: torch.dtype = torch.float32, memory_format=torch.contiguous_format
    ):
        super().__init__()
        self.model = model.to(memory_format=memory_format)
        self.dtype, self.memory_format = dtype, memory_format

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.model.data_preprocessor(dict(inputs=images))['inputs'].contiguous(memory_format=self.memory_format)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            logits = self.model(x)
        return logits.float().sigmoid()


def make_predictors(configs: Path, network: Network, images: torch.Tensor, compiled: bool) -> Dict[str, nn.Module]:
    """Predictors of the same weights, by name.

    Args:
        configs: The repository's folder of configs.
        network: Its size, without identities.
        images: uint8 ``(N, 3, H, W)`` on the device. Statistics of batch normalisation are taken from them, so that
            maps and logits have the size that they have after a training.
        compiled: One that is compiled, too.
    """
    model = build_model(network.change(load_config(configs / 'imcnn_celeba.py'))).to(images.device)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            # The mean over all batches, of which there is one.
            module.momentum = None
    with torch.no_grad():
        model.train()(model.data_preprocessor(dict(inputs=images))['inputs'])
    model.eval()
    obvious = network.build_obvious().to(images.device).eval()
    copy_weights(model, obvious)
    predictors = {
        OBVIOUS: PlainPredictor(obvious),
        'ours, float32': PlainPredictor(model),
        'ours, bf16 autocast, channels_last': PlainPredictor(
            copy.deepcopy(model), torch.bfloat16, torch.channels_last
        ),
        'optimized, float32': optimize_for_inference(model, torch.float32),
        'optimized, bf16': optimize_for_inference(model, torch.bfloat16),
    }
    if compiled:
        predictors['optimized, bf16, compiled'] = optimize_for_inference(model, torch.bfloat16, compile=True)
    return predictors


def agreement(predictors: Dict[str, nn.Module], images: torch.Tensor) -> Dict[str, dict]:
    """How far the predictors' probabilities and labels are those of the obvious one."""
    with torch.inference_mode():
        scores = {name: predict(images).clone() for name, predict in predictors.items()}
    expected = scores[OBVIOUS]
    return {
        name: dict(
            labels_agree=((score >= 0.5) == (expected >= 0.5)).float().mean().item(),
            largest_difference=(score - expected).abs().max().item(),
        )
        for name, score in scores.items()
    }


def make_calls(predictors: Dict[str, nn.Module], images: torch.Tensor, calls: int) -> Dict[str, Callable[[], None]]:
    """What predicts a batch several times, by name."""

    @torch.inference_mode()
    def call(predict: nn.Module) -> None:
        for _ in range(calls):
            predict(images)

    return {name: partial(call, predict) for name, predict in predictors.items()}


def inference_rows(
    predictors: Dict[str, nn.Module],
    calls: Dict[str, Callable[[], None]],
    seconds: Dict[str, List[float]],
    batch_size: int,
    limits: Dict[torch.dtype, float],
) -> List[dict]:
    """Figures of each predictor, in seconds of one batch; on a GPU it runs once more for its use.

    Args:
        predictors: Of :func:`make_predictors`.
        calls: Of :func:`make_calls`.
        seconds: Times of one batch in each round.
        batch_size: Its size.
        limits: Seconds of a batch at the limit of the machine, by precision.
    """
    rows = []
    for name, predictor in predictors.items():
        row = dict(predictor=name, batch_size=batch_size, **summarize(seconds[name]))
        row['images_per_second'] = batch_size / row['median']
        row['times_obvious'] = times_as_fast(seconds[OBVIOUS], seconds[name])
        row['share_of_limit'] = limits[predictor.dtype] / row['median']
        if torch.cuda.is_available():
            row['gpu_busy'] = busy_share(calls[name])
            own = sum(tensor.nbytes for tensor in predictor.state_dict().values())
            row['peak_bytes'] = peak_memory(calls[name], own)
        rows.append(row)
    return rows


def inference_table(rows: List[dict], agreements: Dict[str, dict]) -> List[List[str]]:
    table = [['predictor', 'batch', 'time', 'images/s', 'x (a)', 'of (c)', 'labels agree', 'GPU busy', 'peak GB']]
    for row in rows:
        figures = [format(row['images_per_second'], ',.4g'), format(row['times_obvious'], '.2f')]
        figures += [format(row['share_of_limit'], '.0%'), format(agreements[row['predictor']]['labels_agree'], '.2%')]
        gpu = [cell(row.get('gpu_busy'), '.0%'), cell(row.get('peak_bytes', 0) / 1e9 or None, '.1f')]
        table.append([row['predictor'], str(row['batch_size']), format_seconds(row['median']), *figures, *gpu])
    return table
