"""Runners driven one epoch at a time: with this package's config, and with a stock config for comparison."""

import copy
import inspect
import itertools
import signal
from pathlib import Path
from typing import Optional, Union

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from imcnn_plugin.engine import EVALUATION, load_config

from .network import CONFIGS, IMCNN_CONFIG

# More than any benchmark runs, so that hooks never see the end of training.
MANY_EPOCHS = 10000
_NUMBERS = itertools.count()


def our_config(data_root: Path, images: int, batch_size: int, num_workers: Optional[int] = None) -> Config:
    """``configs/imcnn_celeba.py`` on packed faces, without validation and checkpoints.

    Args:
        data_root: The packed faces.
        images: Number of images in an epoch.
        batch_size: Images per step.
        num_workers: Number of loader processes; None keeps the config's.
    """
    cfg = load_config(IMCNN_CONFIG)
    packed = load_config(CONFIGS / '_base_' / 'datasets' / 'celeba_packed.py', data_root=str(data_root))
    cfg.train_dataloader = packed.train_dataloader
    loader = cfg.train_dataloader
    loader.batch_size = batch_size
    loader.dataset.indices = images
    # The pipeline only describes how faces were packed, and benchmarks pack them in other sizes.
    loader.dataset.pop('pipeline', None)
    if num_workers is not None:
        loader.num_workers, loader.persistent_workers = num_workers, num_workers > 0
    cfg.update(dict.fromkeys(EVALUATION))
    cfg.default_hooks.checkpoint = None
    # Benchmarks choose the number of identities independently of the data.
    cfg.default_hooks.pop('data_model_check')
    cfg.train_cfg.max_epochs = MANY_EPOCHS
    cfg.log_level = 'ERROR'
    return cfg


def stock_config(data_root: Path, size: int, images: int, batch_size: int, num_workers: int = 0) -> Config:
    """The defaults of mmpretrain: JPEG files, a list of data samples, the default hooks, float32.

    Args:
        data_root: CelebA's folder.
        size: Side to which images are resized.
        images: Number of images in an epoch.
        batch_size: Images per step.
        num_workers: Number of loader processes.
    """
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(size, size), interpolation='area'),
        dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity')),
    ]
    return Config(
        dict(
            default_scope='mmpretrain',
            train_dataloader=dict(
                batch_size=batch_size,
                num_workers=num_workers,
                persistent_workers=num_workers > 0,
                pin_memory=torch.cuda.is_available(),
                sampler=dict(type='DefaultSampler', shuffle=True),
                collate_fn=dict(type='default_collate'),
                dataset=dict(type='CelebAIdentity', data_root=str(data_root), indices=images, pipeline=pipeline),
            ),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.001, momentum=0.9, weight_decay=5e-4)),
            param_scheduler=dict(type='MultiStepLR', by_epoch=True, milestones=[10, 20], gamma=0.1),
            train_cfg=dict(by_epoch=True, max_epochs=MANY_EPOCHS),
            default_hooks=dict(checkpoint=None),
            env_cfg=dict(cudnn_benchmark=True, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0)),
            log_level='ERROR',
        )
    )


def start_runner(cfg: Config, model: Union[nn.Module, dict], work_dir: Path, name: str) -> Runner:
    """Prepares a runner like ``Runner.train``, up to its first step; then call ``train_loop.run_epoch()``.

    Args:
        cfg: A config with a ``train_dataloader``.
        model: The model or its config.
        work_dir: Folder for logs.
        name: Name of the runner's folder in ``work_dir``.
    """
    # A runner modifies its config, and shares histories with runners of the same name created in the same second.
    cfg = copy.deepcopy(cfg)
    cfg.work_dir, cfg.experiment_name = str(work_dir / name), f'{name}_{next(_NUMBERS)}'
    keys = set(inspect.signature(Runner).parameters) & set(cfg) - {'model'}
    runner = Runner(model=model, cfg=cfg, **{key: cfg[key] for key in keys})
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    runner.train_loop.stop_training = True
    runner.train()
    runner.call_hook('before_train')
    # Signals must end a benchmark immediately, not after the step as with InterruptHook.
    for number, handler in handlers.items():
        signal.signal(number, handler)
    return runner
