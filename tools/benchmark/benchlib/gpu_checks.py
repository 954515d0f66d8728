"""Checks that a GPU computes the same as a CPU: losses, batches, resumed and compiled runs, predictions, processes.

Each check yields pairs of a name and a row with ``ok`` and the numbers behind it. Without a GPU they run on the CPU,
which only shows that they run.
"""

import copy
import os
import re
import signal
import subprocess
import sys
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, Optional, Tuple

import numpy as np
import torch
from mmengine.dataset import default_collate
from mmengine.hooks import Hook
from mmengine.runner import Runner

from imcnn_plugin.apis import (
    FaceAttributeInferencer,
    open_loader,
    open_trained,
    optimize_for_inference,
    predict_logits,
)
from imcnn_plugin.datasets import CelebAIdentity, PackedFaces
from imcnn_plugin.datasets.packing import write_pack
from imcnn_plugin.engine import (
    EVALUATION,
    BF16OptimWrapper,
    NonBlockingOptimWrapper,
    build_runner,
    load_config,
    train_and_test,
)
from imcnn_plugin.synthetic import write_faces

from .faces import synthetic_batch
from .inference import agreement, make_predictors
from .network import CONFIGS, IMCNN_CONFIG, Network, build_model
from .report import the_device

Rows = Iterator[Tuple[str, dict]]

# Tolerances: relative differences of losses, and differences of probabilities.
LOSS_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 3e-2}
SCORE_TOLERANCE = {torch.float32: 2e-3, torch.bfloat16: 0.1, torch.float16: 0.1}
_TRAIN = Path(__file__).resolve().parents[2] / 'train.py'


@dataclass(frozen=True)
class DrawnFaces:
    """Drawn faces, as files and packed for the mini config, and the folder for training runs."""

    files: Path
    packed: Path
    work: Path
    network: Network

    @classmethod
    def write(cls, folder: Path, identities: int, network: Network) -> 'DrawnFaces':
        """Draws eight images of each identity."""
        faces = cls(folder / 'drawn', folder / 'drawn_72', folder / 'runs', network)
        write_faces(faces.files, identities=identities, images=8, seed=0)
        write_pack(faces.files, faces.packed, 72)
        return faces

    def config(self, name: str, **options):
        """The config of a short run of ``imcnn_celeba_mini_fast.py`` on these faces, with ``--cfg-options``."""
        chosen = {
            'train_cfg.max_epochs': 1,
            'train_dataloader.batch_size': 16,
            'env_cfg.cudnn_benchmark': False,
            'log_level': 'ERROR',
        }
        cfg = load_config(
            CONFIGS / 'imcnn_celeba_mini_fast.py', str(self.packed), str(self.work / name), {**chosen, **options}
        )
        self.network.resize(cfg)
        cfg.model.head.id_head.num_identities = 'auto'
        cfg.experiment_name = name
        return cfg

    def train(self, name: str, **options) -> Runner:
        """Runs :meth:`config` to the end, including the test."""
        runner = build_runner(self.config(name, **options))
        train_and_test(runner)
        return runner


def _weights(runner: Runner) -> torch.Tensor:
    return torch.cat([weight.detach().flatten().cpu() for weight in runner.model.parameters()])


def _largest_difference(first: torch.Tensor, second: torch.Tensor) -> float:
    return (first - second).abs().max().item()


def check_losses(network: Network, batch_size: int, steps: int = 3) -> Rows:
    """Compares losses of a few SGD steps on the CPU and GPU, from the same weights, in several precisions.

    Args:
        network: Size of the network.
        batch_size: Images in the batch, which is the same in each step.
        steps: Number of steps.
    """
    torch.manual_seed(0)
    model = build_model(network.resize(load_config(IMCNN_CONFIG)))
    batch = synthetic_batch(network, batch_size)

    def losses(device, wrapper, memory_format, fused) -> np.ndarray:
        trained = copy.deepcopy(model).to(device, memory_format=memory_format).train()
        sgd = torch.optim.SGD(trained.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4, fused=fused)
        wrapped = wrapper(sgd, clip_grad=dict(max_norm=10))
        samples = batch['data_samples'].to(device)
        inputs = dict(inputs=batch['inputs'].to(device), data_samples=samples)
        logged = [trained.train_step(dict(inputs), wrapped) for _ in range(steps)]
        return np.array([[values[key].item() for key in ('loss_attr', 'loss_id')] for values in logged])

    tf32 = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        expected = losses('cpu', NonBlockingOptimWrapper, torch.contiguous_format, False)
        for name, dtype, memory_format, fused in (
            ('float32', torch.float32, torch.contiguous_format, False),
            ('float32, channels_last, fused', torch.float32, torch.channels_last, True),
            ('bfloat16', torch.bfloat16, torch.contiguous_format, False),
            ('bfloat16, channels_last, fused', torch.bfloat16, torch.channels_last, True),
        ):
            wrapper = BF16OptimWrapper if dtype == torch.bfloat16 else NonBlockingOptimWrapper
            found = losses(the_device(), wrapper, memory_format, fused)
            apart = float(np.abs(found / expected - 1).max())
            yield name, dict(ok=apart < LOSS_TOLERANCE[dtype], largest_relative_difference=apart)
    finally:
        torch.backends.cudnn.allow_tf32 = tf32


def check_packed(faces: DrawnFaces) -> Rows:
    """Compares batches from files and from a pack on disk, in memory and on the GPU."""
    pipeline = load_config(CONFIGS / 'imcnn_celeba_mini_fast.py').train_dataloader.dataset.pipeline
    files = CelebAIdentity(str(faces.files), split='train', pipeline=pipeline)
    index = list(range(0, len(files), 7))
    expected = default_collate([files[i] for i in index])
    labels = torch.stack([sample.gt_score for sample in expected['data_samples']])
    for device in dict.fromkeys([None, 'cpu', the_device().type]):
        batch = PackedFaces(str(faces.packed), device=device, split='train').__getitems__(index)
        same = torch.equal(batch['inputs'].cpu(), expected['inputs'])
        same = same and torch.equal(batch['data_samples'].gt_score.cpu(), labels.float())
        yield f'device={device}', dict(ok=same, images=len(index))


class _StopHook(Hook):
    """Signals the process to stop in the third step."""

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None) -> None:
        if runner.iter == 2:
            os.kill(os.getpid(), signal.SIGTERM)


def check_resume(faces: DrawnFaces) -> Rows:
    """Compares a run that stops at SIGTERM and resumes, and one with images on the device, with two ordinary runs."""
    deterministic = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        whole, again = (_weights(faces.train(name)) for name in ('whole', 'again'))
        runner = build_runner(faces.config('stopped'))
        runner.register_hook(_StopHook())
        try:
            train_and_test(runner)
        except SystemExit:
            stopped_at = runner.iter
        cfg = faces.config('stopped', resume=True, load_from=str(faces.work / 'stopped' / 'interrupted.pth'))
        runner = build_runner(cfg, strict=True)
        train_and_test(runner)
        resumed = _weights(runner)
        loaders = {f'{name}_dataloader.dataset.device': the_device().type for name in ('train', 'val', 'test')}
        on_device = _weights(faces.train('on_device', **loaders))
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic = deterministic
    noise = _largest_difference(whole, again)
    for name, weights in (('as if it had not stopped', resumed), ('images on the device', on_device)):
        apart = _largest_difference(whole, weights)
        yield name, dict(ok=apart <= noise, difference=apart, two_runs=noise, stopped_at=stopped_at)


def check_compile(faces: DrawnFaces, modes: Dict[str, object]) -> Rows:
    """Compares compiled runs, with a smaller last batch and validation, with an uncompiled run.

    Args:
        faces: The training data.
        modes: Values of ``default_hooks.speed.compile`` by name.
    """
    dataset = PackedFaces(str(faces.packed), split='train')
    batch = dataset.__getitems__(list(range(min(64, len(dataset)))))

    def scores(runner: Runner) -> torch.Tensor:
        runner.model.eval()
        samples = runner.model.test_step(dict(batch, data_samples=batch['data_samples'].clone()))
        return samples[0].pred_score.float().cpu()

    expected = scores(faces.train('not_compiled'))
    counters = torch._dynamo.utils.counters
    for name, options in modes.items():
        torch._dynamo.reset()
        counters.clear()
        runner = faces.train(re.sub(r'\W+', '_', f'compiled {name}'), **{'default_hooks.speed.compile': options})
        found = scores(runner)
        same = float(((found >= 0.5) == (expected >= 0.5)).float().mean())
        keys = [key for key in runner.model.state_dict() if '_orig_mod' in key]
        yield (
            name,
            dict(
                ok=same > 0.95 and not keys,
                labels_agree=same,
                largest_difference=_largest_difference(found, expected),
                graphs=counters['stats'].get('unique_graphs', 0),
                graph_breaks=sum(counters['graph_break'].values()),
            ),
        )
    torch._dynamo.reset()


def check_predictions(network: Network, faces: DrawnFaces) -> Rows:
    """Compares labels of every kind of predictor with the reference, also after moving between devices."""
    side = network.size
    images = PackedFaces(str(faces.packed), split='train').__getitems__(list(range(32)))['inputs']
    images = torch.nn.functional.interpolate(images.float(), (side, side)).byte().to(the_device())
    predictors = make_predictors(network, images, False)
    model = predictors['ours, float32'].model
    predictors['optimized, float16'] = optimize_for_inference(model, torch.float16)
    for name, row in agreement(predictors, images).items():
        apart = row['largest_difference']
        yield name, dict(ok=row['labels_agree'] > 0.98 and apart < SCORE_TOLERANCE[predictors[name].dtype], **row)
    predictor = predictors['optimized, float32']
    expected = predictor(images).cpu()
    for place in ('cpu', the_device()):
        apart = _largest_difference(copy.deepcopy(predictor).to(place)(images.to(place)).cpu(), expected)
        yield f'moved to {place}', dict(ok=apart < SCORE_TOLERANCE[torch.float32], largest_difference=apart)


def check_inferencer(faces: DrawnFaces) -> Rows:
    """Compares probabilities of photos on the GPU and the CPU, from a checkpoint trained on the GPU."""
    faces.train('inferencer')
    checkpoint = str(faces.work / 'inferencer' / 'epoch_1.pth')
    photos = [str(path) for path in sorted((faces.files / 'img_align_celeba').iterdir())[:16]]
    expected = None
    for device, precision in dict.fromkeys(
        [('cpu', 'fp32'), (the_device().type, 'fp32'), (the_device().type, 'bf16')]
    ):
        predict = FaceAttributeInferencer(checkpoint, device, precision)
        found = torch.tensor(
            [
                [value['probability'] for value in result['faces'][0]['attributes'].values()]
                for result in predict(photos, aligned=True)
            ]
        )
        expected = found if expected is None else expected
        apart = _largest_difference(found, expected)
        tolerance = SCORE_TOLERANCE[torch.float32 if precision == 'fp32' else torch.bfloat16]
        yield f'{device}, {precision}', dict(ok=apart < tolerance, largest_difference=apart)
    trained, cfg = open_trained(checkpoint)
    for place in dict.fromkeys([None, the_device().type]):
        cfg.val_dataloader.dataset.device = place
        logits = predict_logits(trained, open_loader(cfg, 'val_dataloader'))[0]
        yield f'a split with images on {place}', dict(ok=bool(np.isfinite(logits).all()), images=len(logits))


def check_waits(faces: DrawnFaces) -> Rows:
    """Counts how often a training step waits for the GPU, by the line of this package or mmengine that waits."""
    counts: Counter = Counter()

    def count(message, category, filename, lineno, file=None, line=None) -> None:
        if 'synchronizing CUDA' in str(message):
            frames = [
                frame for frame in traceback.extract_stack() if re.search('imcnn_plugin|mmengine', frame.filename)
            ]
            place = frames[-1] if frames else None
            counts[f'{Path(place.filename).name}:{place.lineno}' if place else f'{filename}:{lineno}'] += 1

    for name, options in dict(
        pack={},
        on_the_device={'train_dataloader.dataset.device': the_device().type, 'train_dataloader.pin_memory': False},
    ).items():
        cfg = faces.config(f'waits_{name}', **options)
        cfg.update(dict.fromkeys(EVALUATION))
        cfg.default_hooks.checkpoint = None
        runner = build_runner(cfg)
        loop, run_iter = runner.train_loop, runner.train_loop.run_iter
        steps = len(runner.train_dataloader)

        def counted(idx: int, batch: dict, run_iter: Callable = run_iter, last: int = steps - 1) -> None:
            # The first step does one-time setup, and the last one logs.
            torch.cuda.set_sync_debug_mode('warn' if 0 < idx < last else 'default')
            run_iter(idx, batch)

        if torch.cuda.is_available():
            loop.run_iter = counted
        counts.clear()
        with warnings.catch_warnings():
            warnings.simplefilter('always')
            warnings.showwarning = count
            try:
                runner.train()
            finally:
                if torch.cuda.is_available():
                    torch.cuda.set_sync_debug_mode('default')
        rows = {place: round(number / max(1, steps - 2), 2) for place, number in counts.most_common(8)}
        yield name, dict(ok=sum(rows.values()) < 0.5, waits_a_step=rows)


def check_processes(faces: DrawnFaces) -> Rows:
    """Checks distributed runs started by torch's launcher: two processes on one GPU over gloo, one over NCCL."""
    launches = {'two processes over gloo': (2, ['env_cfg.dist_cfg.backend=gloo', 'sync_bn=None'])}
    if torch.cuda.is_available():
        launches['one process over NCCL'] = (1, ['default_hooks.speed.bf16_all_reduce=True'])
        launches['one process over NCCL, without SyncBN'] = (1, ['sync_bn=None'])
    for name, (number, options) in launches.items():
        work = faces.work / re.sub(r'\W+', '_', name)
        command = [
            sys.executable,
            '-m',
            'torch.distributed.run',
            f'--nproc-per-node={number}',
            '--standalone',
            str(_TRAIN),
        ]
        command += [str(CONFIGS / 'imcnn_celeba_mini_fast.py'), '--launcher', 'pytorch']
        command += [
            '--data-root',
            str(faces.packed),
            '--work-dir',
            str(work),
            '--cfg-options',
            'train_cfg.max_epochs=1',
        ]
        command += ['train_dataloader.batch_size=8', *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        lines = (done.stdout + done.stderr).splitlines()
        result = [line for line in lines if 'Epoch(test)' in line] or lines
        yield name, dict(ok=done.returncode == 0, last_line=result[-1][-200:] if result else '')
