"""Checks that this package computes the same on a GPU as on a CPU and measures its speed, within a time limit.

Each check or measurement immediately prints its results and writes them to --out. If one fails, the error is reported
and the next one starts; one that would not finish in time is skipped. Everything runs on synthetic faces. The exit
status is 1 if a check failed. Without a GPU, this only shows that everything runs; use --tiny for small sizes.
"""

import gc
import json
import os
import platform
import sys
import tempfile
import time
import traceback
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Callable, Iterator, List, Tuple

import torch
from benchlib import gpu_checks, gpu_speed
from benchlib.faces import write_many_faces
from benchlib.loop_cost import TINY, make_loops, measure_loops
from benchlib.network import Network
from benchlib.report import the_device
from benchlib.roofline import measure_roofline
from benchlib.training import COMPILED, GRAPHS, OPTIONS
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from imcnn_cli import add_out, between, make_parser, run_tool
from imcnn_plugin.datasets import PackedFaces
from imcnn_plugin.datasets.packing import write_pack
from imcnn_plugin.files import write_text


def parse_args():
    parser = make_parser(__doc__, '--out gpu.json', '--out gpu.json --only losses resume training --minutes 3')
    add_out(parser, 'all results, as JSON')
    parser.add_argument(
        '--minutes', type=between(0.1, 1000, float), default=6, metavar='X', help='time limit; default %(default)s'
    )
    parser.add_argument('--only', nargs='+', metavar='PART', help='names of parts; default all')
    parser.add_argument('--tiny', action='store_true', help='tiny networks and few images')
    return parser.parse_args()


class Session:
    """The checks and measurements and their results.

    Args:
        args: Arguments of the command line.
        folder: A temporary folder.
    """

    def __init__(self, args: Namespace, folder: Path):
        self.start, self.args, self.folder = time.monotonic(), args, folder
        self.found: dict = {}
        self.wrong: List[str] = []
        tiny = args.tiny
        self.network = Network(1 / 32, 32, 40) if tiny else Network()
        self.small = Network(1 / 32 if tiny else 0.25, 64, 40)
        self.batch_sizes = (4, 8) if tiny else (64, 256, 1024)
        self.images = 16 if tiny else 3072
        self._speed = self._faces = self._roofline = None

    def left(self) -> float:
        """Seconds until the time limit."""
        return self.args.minutes * 60 - (time.monotonic() - self.start)

    def say(self, text: str) -> None:
        """Prints a line with the seconds since the start."""
        print(f'[{time.monotonic() - self.start:6.1f}] {text}', flush=True)

    def keep(self, part: str, name: str, row: dict) -> None:
        """Prints and writes one result."""
        self.found.setdefault(part, {})[name] = row
        mark = {True: 'ok    ', False: 'WRONG '}.get(row.get('ok'), '')
        if row.get('ok') is False:
            self.wrong.append(f'{part}: {name}')
        values = ', '.join(f'{key} {_shown(value)}' for key, value in row.items() if key not in ('ok', 'kernels'))
        self.say(f'{mark}{part}: {name}: {values}')
        for kernel, milliseconds in row.get('kernels', {}).items():
            self.say(f'    {milliseconds:7.3f} ms  {kernel}')
        write_text(Path(self.args.out), json.dumps(self.found, indent=1) + '\n')

    def run(self, part: str, needed: float, rows: Callable[[], Iterator[Tuple[str, dict]]]) -> None:
        """Runs one check or measurement that takes about ``needed`` seconds on a GPU."""
        if self.args.only and part not in self.args.only:
            return
        if self.left() < needed and not self.args.tiny:
            self.keep('left out', part, dict(seconds_left=self.left(), needed=needed))
            return
        begun = time.monotonic()
        try:
            for name, row in rows():
                self.keep(part, name, row)
        # Continue after any failure, since time on a GPU is limited.
        except Exception as error:
            traceback.print_exc()
            self.keep(
                part, 'failed', dict(ok=False, error=f'{type(error).__name__}: {" ".join(str(error).split())[:500]}')
            )
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.found.setdefault('seconds', {})[part] = round(time.monotonic() - begun, 1)

    @property
    def faces(self) -> gpu_checks.DrawnFaces:
        """Faces for the checks."""
        if self._faces is None:
            self._faces = gpu_checks.DrawnFaces.write(self.folder / 'checks', 10 if self.args.tiny else 40, self.small)
        return self._faces

    @property
    def roofline(self) -> dict:
        """Bandwidth and peaks of the device."""
        if self._roofline is None:
            self._roofline = measure_roofline()
        return self._roofline

    @property
    def packed(self) -> Path:
        """Packed faces for the speed measurements."""
        path = self.folder / 'packed'
        if not path.exists():
            write_many_faces(self.folder / 'files', self.images)
            write_pack(self.folder / 'files', path, self.network.size)
        return path

    @property
    def speed(self) -> gpu_speed.TrainingSpeed:
        """Training of the full network."""
        if self._speed is None:
            self._speed = gpu_speed.TrainingSpeed(
                self.network, self.packed, self.folder / 'files', self.images, self.folder / 'speed', self.roofline
            )
        return self._speed

    def measure_roofline(self) -> Iterator[Tuple[str, dict]]:
        """Measures bandwidth and peaks, and the lower bound of a step."""
        yield 'rates', self.roofline
        speed = self.speed
        bound = speed.step_bound(torch.bfloat16, self.batch_sizes[0])
        yield 'step', dict(weights=speed.weights, flops_an_image=speed.flops, bound_bfloat16=bound)

    def measure_training(self, name: str, batch_size: int) -> Iterator[Tuple[str, dict]]:
        """Measures one variant at one batch size."""
        title = f'{name}, batch {batch_size}'
        if name == gpu_speed.STOCK:
            yield title, self.speed.measure_stock(batch_size, 2)
            return
        torch._dynamo.reset()
        yield title, self.speed.measure(name, batch_size, 5, kernels=name == GRAPHS)

    def measure_loop(self) -> Iterator[Tuple[str, dict]]:
        """Measures the training loop around a tiny network."""
        tiny, steps = self.folder / 'tiny', 3 if self.args.tiny else 50
        write_pack(self.packed.with_name('files'), tiny, TINY.size)
        loops = make_loops(tiny, 4 if self.args.tiny else 64, steps, self.folder / 'loops')
        for row in measure_loops(loops, steps, 1 if self.args.tiny else 10, later=100000):
            yield f'{row["loop"]}, step {row["step"]}', row

    def measure_predictions(self) -> Iterator[Tuple[str, dict]]:
        """Measures the predictors of the full network."""
        number = min(self.batch_sizes[1], self.images)
        pack = PackedFaces(str(self.packed), split='train')
        images = pack.__getitems__(list(range(number)))['inputs'].to(the_device())
        network = Network(self.network.width, self.network.size, 0)
        compiled, rounds, calls = torch.cuda.is_available(), *((1, 1) if self.args.tiny else (7, 20))
        yield from gpu_speed.measure_predictions(network, images, self.roofline, compiled, rounds, calls)

    def measure_epoch_end(self) -> Iterator[Tuple[str, dict]]:
        """Measures checkpoints and validation."""
        yield 'full network', gpu_speed.measure_epoch_end(self.speed, self.batch_sizes[1], self.folder)

    def run_all(self) -> None:
        """Runs everything, the most important first."""
        modes = {COMPILED: OPTIONS[COMPILED], GRAPHS: OPTIONS[GRAPHS]}
        modes = {name: options['default_hooks.speed.compile'] for name, options in modes.items()}
        if not torch.cuda.is_available():
            modes = {COMPILED: dict(backend='eager')}
        plan = gpu_speed.plan_training(self.batch_sizes)
        self.run('losses', 10, lambda: gpu_checks.check_losses(self.small, 4 if self.args.tiny else 32))
        self.run('packed', 20, lambda: gpu_checks.check_packed(self.faces))
        self.run('waits', 8, lambda: gpu_checks.check_waits(self.faces))
        self.run('inferencer', 10, lambda: gpu_checks.check_inferencer(self.faces))
        self.run('predictions', 8, lambda: gpu_checks.check_predictions(self.small, self.faces))
        self.run('resume', 18, lambda: gpu_checks.check_resume(self.faces))
        self.run('compile', 60, lambda: gpu_checks.check_compile(self.faces, modes))
        self.run('processes', 60, lambda: gpu_checks.check_processes(self.faces))
        self.run('roofline', 15, self.measure_roofline)
        for name, size in plan:
            self.run('training', 30 if name in modes else 8, partial(self.measure_training, name, size))
        self.run('epoch end', 10, self.measure_epoch_end)
        self.run('prediction speed', 30, self.measure_predictions)
        self.run('loop', 15, self.measure_loop)
        self.run('training', 15, partial(self.measure_training, gpu_speed.STOCK, self.batch_sizes[0]))


def _shown(value: object) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)


def main():
    args = parse_args()
    MMLogger.get_instance('gpu').setLevel('ERROR')
    with tempfile.TemporaryDirectory(prefix='gpu_') as folder, DefaultScope.overwrite_default_scope('mmpretrain'):
        session = Session(args, Path(folder))
        gpu = torch.cuda.is_available()
        machine = dict(
            gpu=torch.cuda.get_device_name() if gpu else 'none',
            cores=os.cpu_count(),
            python=platform.python_version(),
            torch=torch.__version__,
            cuda=torch.version.cuda,
            cudnn=torch.backends.cudnn.version(),
        )
        session.keep('machine', 'versions', machine)
        session.run_all()
    session.say(f'{len(session.wrong)} wrong' + ''.join(f'\n  {name}' for name in session.wrong))
    sys.exit(1 if session.wrong else 0)


if __name__ == '__main__':
    run_tool(main)
