"""Runners that are stepped through from outside, an epoch at a time."""

import copy
import inspect
import signal
from pathlib import Path
from typing import Optional, Union

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from imcnn_plugin.engine import load_config

# More than are ever run, so that no hook sees the end of the training.
MANY_EPOCHS = 10000


def our_config(
    configs: Path, data_root: Path, images: int, batch_size: int, num_workers: Optional[int] = None
) -> Config:
    """The repository's config of IMCNN on packed faces.

    Args:
        configs: The repository's folder of configs.
        data_root: The packed faces.
        images: Number of images, which is one epoch.
        batch_size: Images in a step.
        num_workers: None leaves what the config says.
    """
    cfg = load_config(configs / 'imcnn_celeba.py')
    loader = load_config(
        configs / '_base_' / 'datasets' / 'celeba_packed.py', data_root=str(data_root)
    ).train_dataloader
    loader.batch_size = batch_size
    loader.dataset.indices = images
    # It only says how the faces were packed, and in a benchmark they may have another size.
    loader.dataset.pop('pipeline', None)
    if num_workers is not None:
        loader.num_workers, loader.persistent_workers = num_workers, num_workers > 0
    cfg.train_dataloader = loader
    # No validation and no checkpoints; and the number of identities is the network's, not the data's.
    for name in ('val', 'test'):
        for key in (f'{name}_dataloader', f'{name}_cfg', f'{name}_evaluator'):
            cfg[key] = None
    cfg.default_hooks.checkpoint = None
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook.type != 'FitCheckHook']
    cfg.train_cfg.max_epochs = MANY_EPOCHS
    cfg.log_level = 'ERROR'
    return cfg


def stock_config(data_root: Path, size: int, images: int, batch_size: int, num_workers: int = 0) -> Config:
    """What mmpretrain's users begin with: JPEG files, a list of samples, the default hooks, float32.

    Args:
        data_root: CelebA's folder.
        size: Side to which images are resized.
        images: Number of images, which is one epoch.
        batch_size: Images in a step.
        num_workers: Processes that read.
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


def start(cfg: Config, model: Union[nn.Module, dict], work_dir: Path, name: str) -> Runner:
    """A runner that is set up as ``Runner.train`` does it and has not made a step: call ``train_loop.run_epoch()``.

    Args:
        cfg: A config with a ``train_dataloader``.
        model: The model or its config.
        work_dir: Where logs go.
        name: Unlike that of any other runner, since their histories go by it.
    """
    # A runner writes into its config.
    cfg = copy.deepcopy(cfg)
    cfg.work_dir, cfg.experiment_name = str(work_dir / name), name
    keys = set(inspect.signature(Runner).parameters) & set(cfg) - {'model'}
    runner = Runner(model=model, cfg=cfg, **{key: cfg[key] for key in keys})
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    runner.train_loop.stop_training = True
    runner.train()
    runner.call_hook('before_train')
    # A hook that waits for the end of a step is of no use to who stops a benchmark.
    for number, handler in handlers.items():
        signal.signal(number, handler)
    return runner


def share_state(runner: Runner, other: Runner) -> None:
    """Lets a second optimiser of the same weights go on with the momentum of the first."""
    other.optim_wrapper.optimizer.state = runner.optim_wrapper.optimizer.state


def set_layout(runner: Runner, memory_format: torch.memory_format) -> None:
    """Brings weights and momentum of convolutions into a layout."""
    runner.model.to(memory_format=memory_format)
    for values in runner.optim_wrapper.optimizer.state.values():
        for name, value in values.items():
            if isinstance(value, torch.Tensor) and value.dim() == 4:
                values[name] = value.contiguous(memory_format=memory_format)


def own_bytes(runner: Runner) -> int:
    """Bytes of weights, buffers and momentum."""
    state = runner.optim_wrapper.optimizer.state.values()
    tensors = [*runner.model.parameters(), *runner.model.buffers(), *(v for values in state for v in values.values())]
    return sum(tensor.nbytes for tensor in tensors if isinstance(tensor, torch.Tensor))
