"""The cost of the training loop beyond the step itself, in CPU time."""

import copy
import time
from pathlib import Path
from typing import Dict, List, Union

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner
from mmpretrain.models import ImageClassifier

from imcnn_plugin.models.losses import identity_loss, multi_label_loss

from .faces import random_faces
from .network import Network, build_model
from .report import alternate, summarize
from .runners import our_config, start_runner, stock_config

# Small enough that the cost of the loop dominates.
TINY = Network(width=1 / 64, size=8, num_identities=100)


class BareLoop:
    """Training without a framework, on packed faces: a gather, a step, a gather, ...

    Args:
        model: A classifier with a ``JointHead``.
        images: uint8 ``(N, H, W, 3)``.
        labels: ``(N, 40)``.
        identity: ``(N, )``.
        batch_size: Images per step.
    """

    def __init__(
        self, model: ImageClassifier, images: np.ndarray, labels: np.ndarray, identity: np.ndarray, batch_size: int
    ):
        self.model = model.train()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
        self.device = next(model.parameters()).device
        self.mean, self.std = model.data_preprocessor.mean, model.data_preprocessor.std
        self.images, self.labels, self.identity = images, labels, identity
        self.batch_size = batch_size

    def run_epoch(self) -> None:
        """Trains on all images once."""
        for rows in np.random.permutation(len(self.images)).reshape(-1, self.batch_size):
            batch = (self.images[rows], self.labels[rows], self.identity[rows])
            x, target, identity = (torch.from_numpy(array).to(self.device, non_blocking=True) for array in batch)
            self._step((x.permute(0, 3, 1, 2).flip(1) - self.mean).div_(self.std), target, identity)

    def _step(self, x: torch.Tensor, target: torch.Tensor, identity: torch.Tensor) -> None:
        feats = self.model.backbone(x)
        loss = multi_label_loss(self.model.head(feats), target)
        loss = loss + identity_loss(self.model.head.id_head(feats), identity)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def skip_to(runner: Runner, step: int) -> None:
    """Puts a runner into the state of a later step without running the steps in between.

    Measures in one epoch by how many entries each history of the message hub grows, and extends the histories to their
    length at that step.
    """
    histories, start = runner.message_hub.log_scalars, runner.iter
    before = {name: len(history.data[0]) for name, history in histories.items()}
    runner.train_loop.run_epoch()
    for name, history in histories.items():
        values, counts = history.data
        growth = (len(values) - before.get(name, 0)) / (runner.iter - start)
        length = min(round(len(values) + growth * (step - runner.iter)), history.max_length)
        histories[name] = HistoryBuffer(np.resize(values, length), np.resize(counts, length), history.max_length)
    runner.train_loop._iter = step


def make_loops(packed: Path, batch_size: int, steps: int, work_dir: Path) -> Dict[str, Union[BareLoop, Runner]]:
    """Loops around a tiny network, by name. All but the first read packed faces.

    Args:
        packed: Faces packed in the tiny network's size.
        batch_size: Images per step.
        steps: Steps per epoch.
        work_dir: Folder for logs.
    """
    images = batch_size * steps
    ours = TINY.resize(our_config(packed, images, batch_size))
    # The bare loop uses the same optimizer, so that only the code around the step differs.
    ours.optim_wrapper.optimizer = dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=5e-4)
    stock = stock_config(packed, TINY.size, images, batch_size)
    stock.optim_wrapper.optimizer = ours.optim_wrapper.optimizer
    stock.train_dataloader = copy.deepcopy(ours.train_dataloader)
    stock.train_dataloader.sampler = dict(type='DefaultSampler', shuffle=True)
    runners = {
        'ours': start_runner(ours, build_model(ours), work_dir, 'loop_ours'),
        'stock hooks': start_runner(stock, build_model(ours), work_dir, 'loop_stock'),
    }
    bare = build_model(ours).to(next(runners['ours'].model.parameters()).device)
    faces = random_faces(images, TINY.size, TINY.num_identities)
    return {'bare PyTorch': BareLoop(bare, **faces, batch_size=batch_size), **runners}


def measure_loops(loops: Dict[str, Union[BareLoop, Runner]], steps: int, rounds: int, later: int) -> List[dict]:
    """CPU seconds per step, near the start and at step ``later``, and the excess over the bare loop.

    Uses one thread, so that waiting threads are not counted. ``beyond`` is the median excess over rounds,
    ``least_beyond`` the difference between the fastest rounds, which is more reliable on a busy machine.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows = []
    for step in (2 * steps, later):
        if step == later:
            for loop in loops.values():
                if isinstance(loop, Runner):
                    skip_to(loop, later)
        runs = {
            name: (loop.train_loop if isinstance(loop, Runner) else loop).run_epoch for name, loop in loops.items()
        }
        seconds = alternate(runs, rounds, warm_up=2, clock=time.process_time)
        seconds = {name: np.divide(values, steps) for name, values in seconds.items()}
        bare = seconds['bare PyTorch']
        for name, values in seconds.items():
            beyond = dict(beyond=float(np.median(values - bare)), least_beyond=float(values.min() - bare.min()))
            rows.append(dict(loop=name, step=step, **summarize(values), **beyond))
    torch.set_num_threads(threads)
    return rows


def loop_table(rows: List[dict]) -> List[List[str]]:
    """A table of :func:`measure_loops`."""
    table = [['CPU time per step', 'at step', 'median', 'beyond bare', 'between the fastest']]
    for row in rows:
        figures = (row['median'], row['beyond'], row['least_beyond'])
        table.append([row['loop'], f'{row["step"]:,}', *(f'{value * 1e3:.2f} ms' for value in figures)])
    return table
