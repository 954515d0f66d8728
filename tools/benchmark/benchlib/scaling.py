"""Measures training speed and memory for one network and batch size."""

import json
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Dict, List, Sequence

import numpy as np
import torch

from imcnn_plugin.engine import BF16OptimWrapper

from .faces import synthetic_batch
from .network import Network, count_weights
from .report import alternate, cell, format_seconds, summarize, the_device
from .roofline import count_flops, step_bound


@dataclass(frozen=True)
class Point:
    """One measurement: batch size, and the size of the network as in :class:`~benchlib.network.Network`."""

    batch_size: int
    num_identities: int
    width: float
    size: int

    @property
    def network(self) -> Network:
        """The network of this size."""
        return Network(self.width, self.size, self.num_identities)


def make_points(
    batch_sizes: Sequence[int], identities: Sequence[int], widths: Sequence[float], base: Point
) -> List[Point]:
    """The base and the points that differ from it in one value, without duplicates."""
    points = [base, *(replace(base, batch_size=value) for value in batch_sizes)]
    points += [replace(base, num_identities=value) for value in identities]
    points += [replace(base, width=value) for value in widths]
    return list(dict.fromkeys(points))


def measure_point(point: Point, steps: int, rounds: int) -> dict:
    """Times training on synthetic input, in bfloat16 with channels_last and fused SGD, after an untimed round.

    Args:
        point: The point to measure.
        steps: Steps per round.
        rounds: Number of timed rounds.

    Returns:
        Quartiles of the seconds per step, and ``peak_bytes``, the peak memory of the GPU or, without one, of this
        process, which must not have done anything else before.
    """
    model = point.network.build().to(the_device(), memory_format=torch.channels_last).train()
    sgd = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4, fused=True)
    wrapper = BF16OptimWrapper(sgd)
    batch = synthetic_batch(point.network, point.batch_size)

    def run_steps() -> None:
        for _ in range(steps):
            model.train_step(batch, wrapper)

    seconds = alternate({'steps': run_steps}, rounds)['steps']
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else _peak_of_process()
    return dict(**summarize(np.divide(seconds, steps)), peak_bytes=peak)


def _peak_of_process() -> int:
    """Peak main memory of this process in bytes."""
    status = Path('/proc/self/status')
    if status.is_file():
        # Linux's ru_maxrss starts at the memory of the parent process.
        line = next(line for line in status.read_text().splitlines() if line.startswith('VmHWM'))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure_in_new_process(script: Path, point: Point, *options: str) -> dict:
    """Runs ``script --point ...`` and returns the figures it prints last; if it fails, its message as ``error``."""
    command = [sys.executable, str(script), *options, '--point', json.dumps(asdict(point))]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        message = process.stderr.strip().splitlines() or ['killed, as when memory runs out']
        return dict(error=f'exit status {process.returncode}: {message[-1]}')
    return json.loads(process.stdout.splitlines()[-1])


def scaling_row(point: Point, figures: dict, roofline: Dict[str, float]) -> dict:
    """Adds the number of weights, images/s and the share of the roofline to the measured figures.

    Args:
        point: The measured point.
        figures: Result of :func:`measure_in_new_process`.
        roofline: Result of :func:`~benchlib.roofline.measure_roofline`.
    """
    model = point.network.build('meta')
    row = dict(**asdict(point), weights=count_weights(model), **figures)
    if 'median' in figures:
        flops = count_flops(model, point.size) * point.batch_size
        row['images_per_second'] = point.batch_size / figures['median']
        row['share_of_roofline'] = step_bound(roofline, torch.bfloat16, row['weights'], flops) / figures['median']
    return row


def scaling_table(rows: List[dict]) -> List[List[str]]:
    """A table of rows of :func:`scaling_row`."""
    table = [['batch', 'identities', 'width', 'M weights', 'step', 'images/s', 'relative', 'of (c)', 'peak GB']]
    first = rows[0].get('images_per_second')
    for row in rows:
        rate = row.get('images_per_second')
        cells = [str(row['batch_size']), f'{row["num_identities"]:,}', f'{row["width"]:g}']
        cells += [f'{row["weights"] / 1e6:.1f}', format_seconds(row['median']) if rate else 'failed']
        cells += [cell(rate, '.4g'), cell(rate and first and rate / first, '.2f')]
        cells += [cell(row.get('share_of_roofline'), '.0%'), cell(rate and row['peak_bytes'] / 1e9, '.2f')]
        table.append(cells)
    return table
