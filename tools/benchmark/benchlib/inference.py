"""Predictors to compare, from uint8 images ``(N, 3, H, W)`` on the device to probabilities ``(N, 40)``."""

import copy
from functools import partial
from typing import Callable, Dict, List

import torch
from mmpretrain.models import ImageClassifier
from torch import nn

from imcnn_plugin.apis import optimize_for_inference

from .network import Network
from .reference_model import copy_weights
from .report import cells, format_seconds, gpu_cells, speedup, summarize
from .roofline import gpu_use

REFERENCE = 'reference, float32 (a)'


class _PlainPredictor(nn.Module):
    """A classifier in its training form.

    Args:
        model: The model, in evaluation mode.
        dtype: With bfloat16, runs under autocast.
        memory_format: Memory format of weights and images.
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


def make_predictors(network: Network, images: torch.Tensor, compiled: bool) -> Dict[str, nn.Module]:
    """Predictors of the same weights, by name.

    Args:
        network: Size of the network, without identities.
        images: uint8 ``(N, 3, H, W)`` on the device. Batch normalization statistics are computed on them, so that
            feature maps and logits have the magnitude of a trained network.
        compiled: Include a compiled predictor.
    """
    model = network.build().to(images.device)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            # None averages over all batches; here there is only one.
            module.momentum = None
    with torch.no_grad():
        model.train()(model.data_preprocessor(dict(inputs=images))['inputs'])
    model.eval()
    reference = network.build_reference().to(images.device).eval()
    copy_weights(model, reference)
    predictors = {
        REFERENCE: _PlainPredictor(reference),
        'ours, float32': _PlainPredictor(model),
        'ours, bf16 autocast, channels_last': _PlainPredictor(
            copy.deepcopy(model), torch.bfloat16, torch.channels_last
        ),
        'optimized, float32': optimize_for_inference(model, torch.float32),
        'optimized, bf16': optimize_for_inference(model, torch.bfloat16),
    }
    if compiled:
        predictors['optimized, bf16, compiled'] = optimize_for_inference(model, torch.bfloat16, compile=True)
    return predictors


def agreement(predictors: Dict[str, nn.Module], images: torch.Tensor) -> Dict[str, dict]:
    """How closely each predictor's probabilities and labels match the reference's."""
    with torch.inference_mode():
        scores = {name: predict(images).clone() for name, predict in predictors.items()}
    expected = scores[REFERENCE]
    return {
        name: dict(
            labels_agree=((score >= 0.5) == (expected >= 0.5)).float().mean().item(),
            largest_difference=(score - expected).abs().max().item(),
        )
        for name, score in scores.items()
    }


def make_calls(predictors: Dict[str, nn.Module], images: torch.Tensor, calls: int) -> Dict[str, Callable[[], None]]:
    """Functions that predict a batch several times, by name."""

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
    bounds: Dict[torch.dtype, float],
) -> List[dict]:
    """Figures of each predictor, in seconds per batch; also measures GPU usage on a GPU.

    Args:
        predictors: Predictors from :func:`make_predictors`.
        calls: Functions from :func:`make_calls`.
        seconds: Seconds per batch in each round.
        batch_size: Images per batch.
        bounds: The roofline: lower bounds on the seconds of a batch, by precision.
    """
    rows = []
    for name, predictor in predictors.items():
        row = dict(predictor=name, batch_size=batch_size, **summarize(seconds[name]))
        row['images_per_second'] = batch_size / row['median']
        row['times_reference'] = speedup(seconds[REFERENCE], seconds[name])
        row['share_of_roofline'] = bounds[predictor.dtype] / row['median']
        if torch.cuda.is_available():
            row.update(gpu_use(calls[name], sum(tensor.nbytes for tensor in predictor.state_dict().values())))
        rows.append(row)
    return rows


def inference_table(rows: List[dict], agreements: Dict[str, dict]) -> List[List[str]]:
    """A table of :func:`inference_rows`, with the agreements of :func:`agreement`."""
    table = [['predictor', 'batch', 'time', 'images/s', 'x (a)', 'of (c)', 'labels agree', 'GPU busy', 'peak GB']]
    for row in rows:
        figures = cells(row, images_per_second=',.4g', times_reference='.2f', share_of_roofline='.0%')
        figures += cells(agreements[row['predictor']], labels_agree='.2%') + gpu_cells(row)
        table.append([row['predictor'], str(row['batch_size']), format_seconds(row['median']), *figures])
    return table
