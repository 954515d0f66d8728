"""One size of network and batch: how fast it trains, and in how much memory."""

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Dict, List, Sequence

import torch
from mmengine.config import Config

from imcnn_plugin.engine import BF16OptimWrapper

from .network import Network, build_model, count_weights
from .report import the_device
from .roofline import count_flops, step_limit
from .timing import cell, format_seconds, summarize, synchronize
from .training import synthetic_batch


@dataclass(frozen=True)
class Point:
    """What is varied, and the size of the images.

    Args:
        batch_size: Images in a step.
        num_identities: Of the identity branch.
        width: Factor on the size of every layer.
        size: Side of the images in pixels.
    """

    batch_size: int
    num_identities: int
    width: float
    size: int

    @property
    def network(self) -> Network:
        return Network(self.width, self.size, self.num_identities)


def make_points(
    batch_sizes: Sequence[int], identities: Sequence[int], widths: Sequence[float], base: Point
) -> List[Point]:
    """The base and those that differ from it in one thing, each once."""
    points = [Point(batch_size, base.num_identities, base.width, base.size) for batch_size in batch_sizes]
    points += [Point(base.batch_size, number, base.width, base.size) for number in identities]
    points += [Point(base.batch_size, base.num_identities, width, base.size) for width in widths]
    return list(dict.fromkeys([base, *points]))


def measure_point(cfg: Config, point: Point, steps: int, rounds: int) -> dict:
    """Trains on synthetic input, in bfloat16 with channels_last and fused SGD, after a round that is not counted.

    Args:
        cfg: A config of IMCNN.
        point: What to measure.
        steps: Steps of a round.
        rounds: How often these are timed.

    Returns:
        Quartiles of a step's seconds, and ``peak_bytes``: the highest memory of the GPU or, without one, of this
        process, which must have done nothing else before.
    """
    model = build_model(point.network.change(cfg)).to(the_device(), memory_format=torch.channels_last).train()
    sgd = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4, fused=True)
    wrapper = BF16OptimWrapper(sgd)
    batch = synthetic_batch(point.network, point.batch_size, the_device())
    seconds = []
    for _ in range(rounds + 1):
        synchronize()
        start = time.perf_counter()
        for _ in range(steps):
            model.train_step(batch, wrapper)
        synchronize()
        seconds.append((time.perf_counter() - start) / steps)
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else peak_of_process()
    return dict(**summarize(seconds[1:]), peak_bytes=peak)


def peak_of_process() -> int:
    """Bytes of main memory at the highest point of this process."""
    status = Path('/proc/self/status')
    if status.is_file():
        # Linux's ru_maxrss begins with the memory of the process that started this one.
        line = next(line for line in status.read_text().splitlines() if line.startswith('VmHWM'))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure_in_new_process(script: Path, point: Point, *options: str) -> dict:
    """Figures that ``script --point ...`` prints as its last line, or ``error`` with what it said when it failed."""
    command = [sys.executable, str(script), *options, '--point', json.dumps(asdict(point))]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        said = process.stderr.strip().splitlines() or ['killed, as when memory runs out']
        return dict(error=f'exit status {process.returncode}: {said[-1]}')
    return json.loads(process.stdout.splitlines()[-1])


def scaling_row(cfg: Config, point: Point, figures: dict, limit: Dict[str, float]) -> dict:
    """Adds images/s and the share of the machine's limit to what was measured.

    Args:
        cfg: A config of IMCNN.
        point: What was measured.
        figures: Of :func:`measure_in_new_process`.
        limit: Of :func:`~benchlib.roofline.measure_machine`.
    """
    model = build_model(point.network.change(cfg), 'meta')
    row = dict(**asdict(point), weights=count_weights(model), **figures)
    if 'median' in figures:
        flops = count_flops(model, point.size) * point.batch_size
        row['images_per_second'] = point.batch_size / figures['median']
        row['share_of_limit'] = step_limit(limit, torch.bfloat16, row['weights'], flops) / figures['median']
    return row


def scaling_table(rows: List[dict]) -> List[List[str]]:
    table = [['batch', 'identities', 'width', 'M weights', 'step', 'images/s', 'x first', 'of (c)', 'peak GB']]
    first = rows[0].get('images_per_second')
    for row in rows:
        rate = row.get('images_per_second')
        cells = [str(row['batch_size']), f'{row["num_identities"]:,}', f'{row["width"]:g}']
        cells += [f'{row["weights"] / 1e6:.1f}', format_seconds(row['median']) if rate else 'failed']
        cells += [cell(rate, '.4g'), cell(rate and first and rate / first, '.2f')]
        cells += [cell(row.get('share_of_limit'), '.0%'), cell(rate and row['peak_bytes'] / 1e9, '.2f')]
        table.append(cells)
    return table
