"""What a machine could do at best: bytes / bandwidth + FLOP / peak, both measured here."""

import functools
import time
from typing import Callable, Dict, Sequence

import torch
from mmpretrain.structures import DataSample
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from .timing import synchronize

# Bytes that one weight moves in a step, each read or written once, nothing kept in a cache from one layer to the next.
# SGD with momentum reads weight, gradient and momentum and writes weight and momentum, all float32.
SGD = 5 * 4
STEP_BYTES = {
    # Read in the forward and in the backward pass; the gradient is written.
    torch.float32: 3 * 4 + SGD,
    # Autocast reads float32 and writes bfloat16, which both passes read; the gradient is written in bfloat16 and cast.
    torch.bfloat16: (4 + 2) + 3 * 2 + (2 + 4) + SGD,
}


def fastest(run: Callable[[], object], repeats: int = 10, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of the fastest of several runs, after one that is not counted."""
    seconds = []
    for _ in range(repeats + 1):
        synchronize()
        start = clock()
        run()
        synchronize()
        seconds.append(clock() - start)
    return min(seconds[1:])


def measure_bandwidth(device: torch.device, numbers: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Bytes a second of main memory, the better of a copy and a triad a = b + 3 c of that many float32 numbers."""
    a, b, c = (torch.ones(numbers, device=device) for _ in range(3))
    copy = 2 * a.nbytes / fastest(lambda: a.copy_(b), clock=clock)
    triad = 3 * a.nbytes / fastest(lambda: torch.add(b, c, alpha=3, out=a), clock=clock)
    return max(copy, triad)


def measure_peak(device: torch.device, dtype: torch.dtype, sides: Sequence[int]) -> float:
    """FLOP a second of a product of two square matrices, of several sizes the best."""
    rates = []
    for side in sides:
        a, b, product = (torch.randn(side, side, device=device).to(dtype) for _ in range(3))
        rates.append(2 * side**3 / fastest(functools.partial(torch.mm, a, b, out=product)))
    return max(rates)


def measure_machine(device: torch.device) -> Dict[str, float]:
    """Bandwidth in bytes/s, peaks in FLOP/s."""
    gpu = device.type == 'cuda'
    precision = torch.get_float32_matmul_precision()
    if gpu:
        # cuDNN computes float32 convolutions in TF32.
        torch.set_float32_matmul_precision('high')
    peaks = {
        name_of(dtype): measure_peak(device, dtype, [4096, 8192, 16384] if gpu else [768, 1024])
        for dtype in STEP_BYTES
    }
    torch.set_float32_matmul_precision(precision)
    return dict(bandwidth=measure_bandwidth(device, 2**30 if gpu else 2**26), **peaks)


def better_of(first: Dict[str, float], second: Dict[str, float]) -> Dict[str, float]:
    """Of two measurements the higher numbers: what runs beside them can only lower them."""
    return {key: max(first[key], second[key]) for key in first}


def count_flops(model: nn.Module, size: int, training: bool = True) -> int:
    """FLOP for one image; a multiplication and an addition are two. Products and convolutions are counted, no more.

    Args:
        model: An ``ImageClassifier`` with a ``JointHead``, on the meta device.
        size: Side of the image in pixels.
        training: Losses and the backward pass as well.
    """
    # Batch normalisation in training wants several values a channel.
    images = torch.zeros(2, 3, size, size, device='meta')
    samples = DataSample()
    samples.gt_score = torch.zeros(2, len(model.head.attr_head.classes), device='meta')
    samples.gt_identity = torch.zeros(2, dtype=torch.long, device='meta')
    with FlopCounterMode(display=False) as counter:
        if training:
            sum(model(images, samples, mode='loss').values()).backward()
        else:
            model(images)
    return counter.get_total_flops() // 2


def step_limit(machine: Dict[str, float], dtype: torch.dtype, weights: int, flops: float) -> float:
    """Seconds of one step of training at the limit of the machine.

    Weights, gradients and momentum are counted, see ``STEP_BYTES``; feature maps are not, so no step can reach it.

    Args:
        machine: Of :func:`measure_machine`.
        dtype: Precision of products.
        weights: Number of weights.
        flops: Of the whole batch.
    """
    return STEP_BYTES[dtype] * weights / machine['bandwidth'] + flops / machine[name_of(dtype)]


def inference_limit(machine: Dict[str, float], dtype: torch.dtype, weights: int, flops: float) -> float:
    """Seconds of one batch at the limit of the machine: each weight is read once, in ``dtype``."""
    return dtype.itemsize * weights / machine['bandwidth'] + flops / machine[name_of(dtype)]


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix('torch.')
