"""Kills small trainings at random moments, resumes them and checks that they end to the last bit as if unharmed."""

import argparse
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional

import torch
from mmengine.config import Config
from rich.progress import track

from imcnn_plugin.checkpoints import newest_checkpoint
from imcnn_plugin.engine import build_runner, load_config
from imcnn_plugin.errors import IMCNNError
from imcnn_plugin.synthetic import write_faces

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
# How a run ends: asked to, killed, killed with its newest file torn, unable to write more than some bytes.
KINDS = ('SIGTERM', 'SIGINT', 'SIGKILL', 'torn', 'disk full')
CHECKPOINTS = '*.pth'


@dataclass
class Outcome:
    """What became of all kills."""

    kills: Counter = field(default_factory=Counter)  # by kind
    resumed: int = 0
    differing: List[str] = field(default_factory=list)
    lost: List[str] = field(default_factory=list)


def run_training(config: str, work_dir: str, max_bytes: Optional[int] = None) -> None:
    """The process that is killed: a training that goes on from what its work folder has."""
    log = os.open(Path(work_dir, 'output.log'), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    torch.set_num_threads(1)
    if max_bytes is not None:
        # A write beyond it fails in the middle, as on a full disk.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, resource.RLIM_INFINITY))
    cfg = Config.fromfile(config)
    cfg.work_dir = work_dir
    newest = newest_checkpoint(work_dir)
    cfg.resume, cfg.load_from = newest is not None, newest
    build_runner(cfg).train()


class Chaos:
    """Runs one training whole, then again and again with a kill at a random moment.

    Args:
        config: A config file whose training is short.
        out_dir: Gets a folder for each run; those of runs that ended well are removed.
        seed: Of kinds and moments.
    """

    def __init__(self, config: Path, out_dir: Path, seed: int = 0):
        self.config, self.out_dir = Path(config), Path(out_dir)
        self.random = random.Random(seed)
        # Processes are forked from one that has everything imported: a start takes no ten seconds.
        self.context = multiprocessing.get_context('forkserver')
        self.context.set_forkserver_preload(['imcnn_plugin.engine'])
        self.outcome = Outcome()

    def start(self, work_dir: Path, max_bytes: Optional[int] = None) -> multiprocessing.Process:
        work_dir.mkdir(parents=True, exist_ok=True)
        process = self.context.Process(target=run_training, args=(str(self.config), str(work_dir), max_bytes))
        process.start()
        return process

    def run_whole(self) -> None:
        """The training that is not stopped, by which the others are judged."""
        folder = self.out_dir / 'whole'
        start = time.monotonic()
        process = self.start(folder)
        process.join()
        if process.exitcode:
            raise RuntimeError(f'the training that is not killed fails: see {folder}/output.log')
        self.seconds = time.monotonic() - start
        self.expected = load_all(folder)
        self.max_bytes = max(path.stat().st_size for path in folder.glob(CHECKPOINTS))

    def run_killed(self, number: int) -> None:
        """A training with one kill, resumed until it ends."""
        kind = KINDS[number % len(KINDS)]
        folder = self.out_dir / f'kill_{number}'
        while not self.kill(folder, kind):
            shutil.rmtree(folder)
        self.outcome.kills[kind] += 1
        resumed = self.start(folder)
        resumed.join()
        self.outcome.resumed += 1
        if resumed.exitcode:
            self.outcome.differing.append(f'{folder}: exit status {resumed.exitcode}, see output.log')
            return
        found = load_all(folder)
        if found.keys() != self.expected.keys():
            self.outcome.lost.append(f'{folder}: {sorted(found)} in place of {sorted(self.expected)}')
        elif name := next((name for name in found if not same(found[name], self.expected[name])), None):
            self.outcome.differing.append(f'{folder}: {name}')
        else:
            shutil.rmtree(folder)

    def kill(self, folder: Path, kind: str) -> bool:
        """Starts a training and ends it. False where it was done before."""
        if kind == 'disk full':
            process = self.start(folder, self.random.randrange(self.max_bytes))
            process.join()
            return process.exitcode != 0
        start = time.monotonic()
        process = self.start(folder)
        process.join(self.random.uniform(0, self.seconds))
        if not process.is_alive():
            self.seconds = min(self.seconds, time.monotonic() - start)
            return False
        before = {path.name for path in folder.glob(CHECKPOINTS)}
        os.kill(process.pid, getattr(signal, kind, signal.SIGKILL))
        process.join()
        if kind == 'SIGKILL' and (gone := before - {path.name for path in folder.glob(CHECKPOINTS)}):
            self.outcome.lost.append(f'{folder}: {sorted(gone)}')
        if kind == 'torn' and not tear(folder, self.random):
            return False
        return process.exitcode != 0


def tear(folder: Path, rng: random.Random) -> bool:
    """Cuts off the newest checkpoint, as a power cut can where a disk promises too much.

    False where there is none before it, without which a run is not resumed but refused.
    """
    files = [path for path in folder.glob(CHECKPOINTS) if not path.name.startswith('best_')]
    if len(files) < 2:
        return False
    newest = max(files, key=lambda path: path.stat().st_mtime)
    os.truncate(newest, rng.randrange(newest.stat().st_size))
    return True


def load_all(folder: Path) -> Dict[str, dict]:
    """All that a run leaves, by file."""
    return {path.name: torch.load(path, weights_only=True) for path in folder.glob(CHECKPOINTS)}


def same(one: dict, other: dict) -> bool:
    """Whether two checkpoints have the same weights, moving averages, optimiser and schedules, to the last bit."""
    parts = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')
    return all(equal(one.get(part), other.get(part)) for part in parts)


def equal(one, other) -> bool:
    if torch.is_tensor(one):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--kills', type=int, default=5, help='default %(default)s')
    parser.add_argument('--seed', type=int, default=0, help='of the moments; default %(default)s')
    parser.add_argument('--out', help='where the runs go; default a temporary folder')
    return parser.parse_args()


def write_config(folder: Path) -> Path:
    """A tiny IMCNN on drawn faces with all that could make a difference: dropout, flips, EMA, bfloat16, workers."""
    faces = folder / 'faces'
    write_faces(faces, identities=20, images=4, seed=0, jobs=1)
    cfg = load_config(CONFIGS / 'imcnn_demo.py', data_root=str(faces))
    cfg.model.backbone.width = 1 / 16
    cfg.model.head.attr_head.update(in_channels=192, hidden_dims=(16, 16), dropout=0.5)
    cfg.model.head.id_head.update(in_channels=192, embedding_dims=8, num_identities=14)
    cfg.optim_wrapper.type = 'BF16OptimWrapper'
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.1))
    cfg.train_dataloader.update(batch_size=8, num_workers=1)
    cfg.val_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    cfg.train_cfg.max_epochs = cfg.param_scheduler.T_max = 3
    path = folder / 'config.py'
    cfg.dump(path)
    return path


def main():
    args = parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(args.out or temporary)
        out.mkdir(parents=True, exist_ok=True)
        try:
            chaos = Chaos(write_config(out), out, args.seed)
            chaos.run_whole()
            for number in track(range(args.kills), 'Killing'):
                chaos.run_killed(number)
        except IMCNNError as error:
            sys.exit(f'error: {error}')
    outcome = chaos.outcome
    print(', '.join(f'{kind}: {count}' for kind, count in outcome.kills.items()))
    print(f'{outcome.resumed} resumed, {len(outcome.differing)} differ, {len(outcome.lost)} lost a file.')
    if outcome.differing or outcome.lost:
        sys.exit('\n'.join([*outcome.differing, *outcome.lost]))


if __name__ == '__main__':
    main()
