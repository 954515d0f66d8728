"""Kills training runs at random moments, resumes them and compares checkpoints with those of an uninterrupted run.

It trains a tiny network on synthetic faces. The exit status is 1 if a checkpoint is missing or not bitwise equal.
"""

import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional, Set

import torch
from mmengine.config import Config

from imcnn_cli import add_out, add_seed, between, make_parser, run_tool
from imcnn_plugin.checkpoints import find_latest
from imcnn_plugin.engine import build_runner, load_config
from imcnn_plugin.progress import track
from imcnn_plugin.synthetic import write_faces

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
# The ways to end a run, with the signal. Most send it to the main process, 'all' to all processes like torchrun, and
# 'worker' to a data loader worker. 'disk full' makes a write fail instead. Before resuming, 'truncated' truncates the
# newest checkpoint, and 'moved' and 'copied' move or copy the work directory.
KINDS = {
    'SIGTERM': signal.SIGTERM,
    'SIGINT': signal.SIGINT,
    'SIGKILL': signal.SIGKILL,
    'truncated': signal.SIGKILL,
    'disk full': None,
    'all': signal.SIGTERM,
    'worker': signal.SIGKILL,
    'moved': signal.SIGTERM,
    'copied': signal.SIGKILL,
}
CHECKPOINTS = '*.pth'


@dataclass
class Outcome:
    """The result of all kills."""

    kills: Counter = field(default_factory=Counter)  # by kind
    resumed: int = 0
    differing: List[str] = field(default_factory=list)  # work directory and what differs
    lost: List[str] = field(default_factory=list)  # work directory and which files are gone


def _train(config: str, work_dir: str, max_bytes: Optional[int] = None) -> None:
    """The process to kill: trains, and resumes from the newest checkpoint in its work directory."""
    log = os.open(Path(work_dir, 'output.log'), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    torch.set_num_threads(1)
    if max_bytes is not None:
        # Writes beyond this size fail midway, as on a full disk.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, resource.RLIM_INFINITY))
    cfg = Config.fromfile(config)
    cfg.work_dir = work_dir
    newest = find_latest(work_dir)
    cfg.resume, cfg.load_from = newest is not None, newest
    build_runner(cfg).train()


class KillAndResume:
    """Trains once without a kill, then once for each kill.

    Args:
        config: A config file of a short run.
        out_dir: Folder for the work directories; those of runs that pass are removed.
        seed: Seed of the random moments.
    """

    def __init__(self, config: Path, out_dir: Path, seed: int = 0):
        self.config, self.out_dir = Path(config), Path(out_dir)
        self.random = random.Random(seed)
        # Fork from a process that has imported everything, which saves ten seconds per start.
        self.context = multiprocessing.get_context('forkserver')
        self.context.set_forkserver_preload(['imcnn_plugin.engine'])
        self.outcome = Outcome()

    def _start(self, work_dir: Path, max_bytes: Optional[int] = None) -> multiprocessing.Process:
        work_dir.mkdir(parents=True, exist_ok=True)
        process = self.context.Process(target=_train, args=(str(self.config), str(work_dir), max_bytes))
        process.start()
        return process

    def run_whole(self) -> None:
        """Trains without a kill, for comparison with the other runs."""
        folder = self.out_dir / 'whole'
        start = time.monotonic()
        process = self._start(folder)
        process.join()
        if process.exitcode:
            raise RuntimeError(f'the run without a kill failed, see {folder}/output.log')
        self.seconds = time.monotonic() - start
        self.expected = _load_checkpoints(folder)
        self.max_bytes = max(path.stat().st_size for path in folder.glob(CHECKPOINTS))

    def run_killed(self, number: int) -> None:
        """Trains, kills at a random moment, resumes and compares."""
        kind = [*KINDS][number % len(KINDS)]
        folder = self.out_dir / f'kill_{number}'
        while not self._kill(folder, kind):
            shutil.rmtree(folder)
        self.outcome.kills[kind] += 1
        place, before = folder, _names(folder)
        if kind == 'moved':
            place = folder.rename(f'{folder}_moved')
        elif kind == 'copied':
            place = Path(shutil.copytree(folder, f'{folder}_copy'))
        resumed = self._start(place)
        resumed.join()
        self.outcome.resumed += 1
        if resumed.exitcode:
            self.outcome.differing.append(f'{place}: exit status {resumed.exitcode}, see output.log')
            return
        if kind == 'copied' and (gone := before - _names(folder)):
            self.outcome.lost.append(f'{folder}: {sorted(gone)}')
            return
        found = _load_checkpoints(place)
        if found.keys() != self.expected.keys():
            self.outcome.lost.append(f'{place}: found {sorted(found)}, expected {sorted(self.expected)}')
        elif name := next((name for name in found if not _same_state(found[name], self.expected[name])), None):
            self.outcome.differing.append(f'{place}: {name}')
        else:
            for passed in {place, folder}:
                shutil.rmtree(passed, ignore_errors=True)

    def _kill(self, folder: Path, kind: str) -> bool:
        """Starts a run and kills it. False if it completed first, or left nothing to truncate or resume from."""
        if kind == 'disk full':
            process = self._start(folder, self.random.randrange(self.max_bytes))
            process.join()
            return process.exitcode != 0
        start = time.monotonic()
        process = self._start(folder)
        process.join(self.random.uniform(0, self.seconds))
        if not process.is_alive():
            self.seconds = time.monotonic() - start
            return False
        before = _names(folder)
        workers = _children_of(process.pid)
        for target in dict(all=[*workers, process.pid], worker=workers[:1]).get(kind, [process.pid]):
            with suppress(ProcessLookupError):
                os.kill(target, KINDS[kind])
        process.join()
        if kind == 'SIGKILL' and (gone := before - _names(folder)):
            self.outcome.lost.append(f'{folder}: {sorted(gone)}')
        if kind == 'truncated' and not _truncate_newest(folder, self.random):
            # Runs take longer if the machine has become busy.
            self.seconds *= 1.2
            return False
        return process.exitcode != 0


def _names(folder: Path) -> Set[str]:
    """File names of the checkpoints of a run."""
    return {path.name for path in folder.glob(CHECKPOINTS)}


def _children_of(number: int) -> List[int]:
    """The ids of the child processes of a process; empty if it has ended."""
    path = Path(f'/proc/{number}/task/{number}/children')
    try:
        return [int(child) for child in path.read_text().split()]
    except OSError:
        return []


def _truncate_newest(folder: Path, rng: random.Random) -> bool:
    """Truncates the newest checkpoint, like a power failure. Returns False if there is no older one to resume from."""
    files = [path for path in folder.glob(CHECKPOINTS) if not path.name.startswith('best_')]
    if len(files) < 2:
        return False
    newest = max(files, key=lambda path: path.stat().st_mtime)
    os.truncate(newest, rng.randrange(newest.stat().st_size))
    return True


def _load_checkpoints(folder: Path) -> Dict[str, dict]:
    """The checkpoints of a run, by file name."""
    return {path.name: torch.load(path, weights_only=True) for path in folder.glob(CHECKPOINTS)}


def _same_state(one: dict, other: dict) -> bool:
    """Whether two checkpoints have bitwise equal weights, moving averages, optimizer states and schedules."""
    keys = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')
    return all(_equal(one.get(key), other.get(key)) for key in keys)


def _equal(one, other) -> bool:
    """Whether nested dicts, lists and tuples of tensors and plain values are equal."""
    if torch.is_tensor(one):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    return one == other


def parse_args():
    parser = make_parser(__doc__, '--kills 20', '--kills 50 --seed 1 --out work_dirs/kills')
    parser.add_argument(
        '--kills', type=between(0), default=5, metavar='N', help='number of kills; default %(default)s'
    )
    add_seed(parser)
    add_out(parser, 'the work directories; default a temporary one', kind='folder', required=False)
    return parser.parse_args()


def _write_config(folder: Path) -> Path:
    """Writes the config of a tiny IMCNN on drawn faces with everything that is hard to resume.

    This includes dropout, flips, EMA, bfloat16, gradient accumulation and loader workers.
    """
    faces = folder / 'faces'
    write_faces(faces, identities=20, images=4, seed=0, jobs=1)
    cfg = load_config(CONFIGS / 'imcnn_demo.py', data_root=str(faces))
    cfg.model.backbone.width = 1 / 16
    cfg.model.head.attr_head.update(in_channels=192, hidden_dims=(16, 16), dropout=0.5)
    cfg.model.head.id_head.update(in_channels=192, embedding_dims=8)
    cfg.optim_wrapper.update(type='BF16OptimWrapper', accumulative_counts=4)
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.1))
    cfg.train_dataloader.update(batch_size=8, num_workers=1)
    cfg.val_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    cfg.train_cfg.max_epochs = 3
    path = folder / 'config.py'
    cfg.dump(path)
    return path


def main():
    args = parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(args.out or temporary)
        out.mkdir(parents=True, exist_ok=True)
        runs = KillAndResume(_write_config(out), out, args.seed)
        runs.run_whole()
        for number in track(range(args.kills), 'Kills'):
            runs.run_killed(number)
    outcome = runs.outcome
    print(', '.join(f'{kind}: {count}' for kind, count in outcome.kills.items()))
    print(f'{outcome.resumed} resumed, {len(outcome.differing)} differ, {len(outcome.lost)} lost a file.')
    if outcome.differing or outcome.lost:
        sys.exit('\n'.join([*outcome.differing, *outcome.lost]))


if __name__ == '__main__':
    run_tool(main)
