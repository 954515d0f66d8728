"""The roofline (bytes / bandwidth + FLOP / peak, both measured) and the use of the GPU."""

import functools
import time
from typing import Callable, Dict, Iterable, Sequence, Tuple

import torch
from mmpretrain.structures import DataSample
from torch import nn
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from .report import alternate, format_seconds, synchronize, the_device

# Memory traffic per weight and step in bytes. Everything is read or written once; nothing stays cached between layers.
# SGD with momentum reads weight, gradient and momentum and writes weight and momentum, all float32.
SGD_BYTES = 5 * 4
STEP_BYTES = {
    # Weights are read in the forward and backward pass; the gradient is written.
    torch.float32: 3 * 4 + SGD_BYTES,
    # Autocast reads float32 and writes bfloat16, which both passes read. The gradient is written in bfloat16 and cast.
    torch.bfloat16: (4 + 2) + 3 * 2 + (2 + 4) + SGD_BYTES,
}


def _fastest(run: Callable[[], object], repeats: int = 10, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of the fastest of several runs, after one untimed run."""
    return min(alternate({'roofline': run}, repeats, clock=clock)['roofline'])


def measure_bandwidth(device: torch.device, numbers: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Memory bandwidth in bytes/s: the better of a copy and a triad a = b + 3 c of that many float32 numbers."""
    a, b, c = (torch.ones(numbers, device=device) for _ in range(3))
    copy = 2 * a.nbytes / _fastest(lambda: a.copy_(b), clock=clock)
    triad = 3 * a.nbytes / _fastest(lambda: torch.add(b, c, alpha=3, out=a), clock=clock)
    return max(copy, triad)


def _measure_peak(device: torch.device, dtype: torch.dtype, sides: Sequence[int]) -> float:
    """FLOP/s of a product of two square matrices, the best of several sizes."""
    rates = []
    for side in sides:
        a, b, product = (torch.randn(side, side, device=device).to(dtype) for _ in range(3))
        rates.append(2 * side**3 / _fastest(functools.partial(torch.mm, a, b, out=product)))
    return max(rates)


def measure_roofline() -> Dict[str, float]:
    """``bandwidth`` in bytes/s, peaks in ``float32`` and ``bfloat16`` in FLOP/s."""
    device, precision = the_device(), torch.get_float32_matmul_precision()
    gpu = device.type == 'cuda'
    if gpu:
        # cuDNN computes float32 convolutions in TF32.
        torch.set_float32_matmul_precision('high')
    sides = [4096, 8192, 16384] if gpu else [768, 1024]
    peaks = {_name(dtype): _measure_peak(device, dtype, sides) for dtype in STEP_BYTES}
    torch.set_float32_matmul_precision(precision)
    return dict(bandwidth=measure_bandwidth(device, 2**30 if gpu else 2**26), **peaks)


def better_of(first: Dict[str, float], second: Dict[str, float]) -> Dict[str, float]:
    """The higher values of two measurements, since other work on the machine can only lower them."""
    return {key: max(first[key], second[key]) for key in first}


def count_flops(model: nn.Module, size: int, training: bool = True) -> int:
    """FLOP of the matrix products and convolutions for one image; a multiply-add counts as two.

    Args:
        model: An ``ImageClassifier`` with a ``JointHead``, on the meta device.
        size: Side of the image in pixels.
        training: Include the losses and the backward pass.
    """
    # Batch normalization in training needs several values per channel.
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


def step_bound(roofline: Dict[str, float], dtype: torch.dtype, weights: int, flops: float) -> float:
    """Lower bound on the seconds of one training step.

    It counts the traffic of weights, gradients and momentum (``STEP_BYTES``), not that of feature maps, so no step
    can reach it.

    Args:
        roofline: Result of :func:`measure_roofline`.
        dtype: Precision of the matrix products.
        weights: Number of weights.
        flops: FLOP of the whole batch.
    """
    return STEP_BYTES[dtype] * weights / roofline['bandwidth'] + flops / roofline[_name(dtype)]


def inference_bound(roofline: Dict[str, float], dtype: torch.dtype, weights: int, flops: float) -> float:
    """Lower bound on the seconds of predicting one batch: each weight is read once, in ``dtype``."""
    return dtype.itemsize * weights / roofline['bandwidth'] + flops / roofline[_name(dtype)]


def show_roofline(roofline: Dict[str, float], bounds: Dict[torch.dtype, float]) -> str:
    """Formats the measured bandwidth and peaks, and the lower bounds by precision."""
    rates = ', '.join(f'{roofline[_name(dtype)] / 1e9:.4g} GFLOP/s in {_name(dtype)}' for dtype in bounds)
    seconds = ', '.join(f'{format_seconds(value)} in {_name(dtype)}' for dtype, value in bounds.items())
    return f'{roofline["bandwidth"] / 1e9:.4g} GB/s, {rates}: {seconds}'


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix('torch.')


def gpu_use(run: Callable[[], object], own: int) -> Dict[str, float]:
    """How much of the GPU a function uses, measured in two extra runs.

    Args:
        run: The function.
        own: Bytes of GPU memory that it already holds, such as weights and momentum.

    Returns:
        ``gpu_busy``, the share of time in which the GPU computes or copies, and ``peak_bytes``, its peak memory
        without that of other variants.
    """
    return dict(gpu_busy=_busy_share(run), peak_bytes=_peak_memory(run, own))


def _busy_share(run: Callable[[], object]) -> float:
    """Busy share of the wall time, which includes profiler overhead."""
    synchronize()
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as profiler:
        start = time.perf_counter()
        run()
        synchronize()
        wall = time.perf_counter() - start
    intervals = [
        (event.time_range.start, event.time_range.end)
        for event in profiler.events()
        if event.device_type == DeviceType.CUDA and not event.is_user_annotation
    ]
    return _union_length(intervals) / 1e6 / wall


def _union_length(intervals: Iterable[Tuple[float, float]]) -> float:
    """Length of the union of intervals ``(start, end)``."""
    total, reached = 0.0, float('-inf')
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _peak_memory(run: Callable[[], object], own: int) -> int:
    synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    synchronize()
    return torch.cuda.max_memory_allocated() - before + own
