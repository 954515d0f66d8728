"""Builds a runner from a config, and trains with a test at the end."""

import copy
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Optional, Set

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dist import all_reduce, barrier, sync_random_seed
from mmengine.hooks import EMAHook, Hook
from mmengine.logging import MMLogger
from mmengine.registry import RUNNERS, DefaultScope
from mmengine.runner import CheckpointLoader, Runner
from torch import nn
from torch.utils.data import DataLoader

from .. import framework
from ..checkpoints import checkpoint_file, find_latest, register_safe_loaders
from ..errors import (
    ConfigError,
    DataError,
    IMCNNError,
    mismatched_weights,
    one_line,
    translate_build_errors,
    translate_errors,
)
from ..signals import let_workers_follow
from .config import resolve_num_identities
from .console import _quiet_console
from .data_model_check_hook import DataModelCheckHook
from .launch import init_cpu_processes
from .progress_hook import ProgressHook
from .resumed_settings import _read_settings, _restore_settings
from .run_config import _RunConfig

# The format of mmengine's timestamps.
_SECONDS = '%Y%m%d_%H%M%S'
_STOCK_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')
# The components that a runner builds only when it trains or tests.
_BUILDERS = ('train_loop', 'val_loop', 'test_loop', 'optim_wrapper', 'param_scheduler')


class _Runner(Runner):
    """mmengine's ``Runner``, which keeps the settings of the config when it resumes a run."""

    started: Set[str] = set()
    tests_at_the_end = False

    def setup_env(self, env_cfg: dict) -> None:
        """Chooses the timestamp that names a run and its log, history and drawings."""
        super().setup_env(env_cfg)
        # Otherwise, two runs that a process starts within one second would write to the same files.
        while self._timestamp in self.started:
            later = datetime.strptime(self._timestamp, _SECONDS) + timedelta(seconds=1)
            self._timestamp = later.strftime(_SECONDS)
        self.started.add(self._timestamp)

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """The logger of the run; messages that belong in the log file are not shown on the console."""
        logger = super().build_logger(*args, **kwargs)
        _quiet_console(logger)
        return logger

    def wrap_model(self, model_wrapper_cfg: Optional[dict], model: nn.Module) -> nn.Module:
        """Wraps the model for several processes."""
        hooks = [*(self.cfg.get('default_hooks') or {}).values(), *(self.cfg.get('custom_hooks') or [])]
        # PerformanceHook would be too late: DistributedDataParallel gives gradients the current layout of the weights.
        if any(isinstance(hook, dict) and hook.get('channels_last') for hook in hooks):
            model.to(memory_format=torch.channels_last)
        return super().wrap_model(model_wrapper_cfg, model)

    def dump_config(self) -> None:
        """Does nothing: DataModelCheckHook writes the config to the work directory when training starts."""

    def load_checkpoint(self, *args, **kwargs) -> dict:
        """Loads the weights of a checkpoint, and logs the messages that mmengine would only print."""
        with framework.log_prints(self.logger):
            return super().load_checkpoint(*args, **kwargs)

    def resume(self, *args, **kwargs) -> None:
        """Resumes a checkpoint with the settings of the config."""
        settings = _read_settings(self)
        super().resume(*args, **kwargs)
        _restore_settings(self, settings)

    @staticmethod
    def build_dataloader(*args, **kwargs) -> DataLoader:
        # InterruptHook would be too late for an iteration-based loop, which has started its workers by then.
        return let_workers_follow(Runner.build_dataloader(*args, **kwargs))


def build_runner(cfg: Config, strict: bool = False) -> Runner:
    """Builds the runner of a config, on GPUs or, if there are none, on CPU processes over gloo.

    From then on, mmengine uses the safe checkpoint loaders, see
    :func:`~imcnn_plugin.checkpoints.register_safe_loaders`.

    Args:
        cfg: A config from :func:`~imcnn_plugin.engine.load_config`. ``num_identities='auto'`` is replaced in it.
        strict: Whether the loaded checkpoint must have exactly the weights of the model, as a test and a resumed run
            require. Otherwise mmengine only warns and continues with random values for missing weights.

    Raises:
        ConfigError: The launcher needs GPUs, or a component cannot be built from the config.
        DataError: The training set cannot be read.
    """
    register_safe_loaders()
    source = cfg.filename or 'the config of the checkpoint'
    if cfg.launcher != 'none' and not torch.cuda.is_available():
        # mmengine requires a GPU when it initializes processes itself and when it wraps the model, and torch's
        # synchronized batch normalization runs only on GPUs.
        init_cpu_processes(cfg.launcher, cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout'))
        wrapper = cfg.get('model_wrapper_cfg') or dict(
            broadcast_buffers=False, find_unused_parameters=cfg.get('find_unused_parameters', False)
        )
        cfg.model_wrapper_cfg = ConfigDict(wrapper, device_ids=None)
        cfg.sync_bn = None
    checked = 'data_model_check' in (cfg.get('default_hooks') or {})
    # For a hook that the config sets to None, mmengine itself removes only its own hooks.
    for name in [name for name, hook in (cfg.get('default_hooks') or {}).items() if hook is None]:
        if name not in _STOCK_HOOKS:
            cfg.default_hooks.pop(name)
    if not cfg.get('model'):
        raise ConfigError(f'{source} has no model')
    if cfg.get('load_from') and Path(cfg.load_from).is_dir():
        # A run resumes from the latest checkpoint of a work directory, and starts from the best one.
        found = find_latest(cfg.load_from) if cfg.get('resume') else checkpoint_file(cfg.load_from)
        if not found:
            raise DataError(f'{cfg.load_from} has no checkpoint: name one, or the work directory of a run')
        cfg.load_from = str(found)
    with translate_errors(), translate_build_errors(source):
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmengine')):
            resolve_num_identities(cfg)
        build = RUNNERS.build if 'runner_type' in cfg else _Runner.from_cfg
        runner = build(_RunConfig.copy_of(cfg))
    for name in _BUILDERS:
        setattr(runner, f'build_{name}', translate_build_errors(source)(getattr(runner, f'build_{name}')))
    runner.register_hook(ProgressHook())
    # Configs of other projects do not name it.
    if not checked and not any(isinstance(hook, DataModelCheckHook) for hook in runner.hooks):
        runner.register_hook(DataModelCheckHook())
    for hook in runner.hooks:
        # EMAHook builds its model in before_run.
        hook.before_run = translate_build_errors(source)(hook.before_run)
    if strict:
        runner.load_checkpoint = partial(_load_strictly, runner)
        runner.resume = partial(_resume, runner)
    return runner


def _load_strictly(runner: Runner, path: str, **kwargs) -> dict:
    """``Runner.load_checkpoint`` that rejects weights of another model and, when resuming, a file without progress."""
    try:
        checkpoint = type(runner).load_checkpoint(runner, path, **{**kwargs, 'strict': True})
    except (RuntimeError, AttributeError, TypeError) as error:
        # Check this first: a published file also lacks the identity branch.
        _check_progress(runner, path, CheckpointLoader.load_checkpoint(path, map_location='cpu'))
        raise mismatched_weights(path, error) from error
    _check_progress(runner, path, checkpoint)
    return checkpoint


def _check_progress(runner: Runner, path: str, checkpoint: dict) -> None:
    """Rejects resuming a checkpoint that has only weights, such as a published one."""
    meta = checkpoint.get('meta') or {}
    missing = [key for key in ('epoch', 'iter') if not isinstance(meta.get(key), int)]
    missing += [key for key in ('optimizer', 'message_hub') if not isinstance(checkpoint.get(key), dict)]
    if missing and framework.is_resuming(runner):
        raise DataError(f'{path} has no {" and no ".join(missing)}, so it cannot be resumed: give it as load_from')


def _resume(runner: Runner, path: str, **kwargs) -> None:
    """``Runner.resume`` with a one-line error if the optimizer, schedule or history does not fit the config."""
    try:
        type(runner).resume(runner, path, **kwargs)
    except (IMCNNError, OSError):
        raise
    except Exception as error:
        raise DataError(
            f'{path} cannot be resumed with this config ({one_line(error)}): resume it with its own, or give it as '
            'load_from'
        ) from error


def train_and_test(runner: Runner) -> None:
    """Trains and, if the config has a test split, tests the best checkpoint, or the last weights if there is none.

    Raises:
        DataError: An image or a file cannot be read.
        ConfigError: A component cannot be built from the config.
        TrainingError: The loss is not finite.
    """
    with translate_errors():
        random_state = np.random.get_state()
        # Accessing the loop builds it, so a test split that cannot be read fails now and not after training.
        has_test = runner.test_loop is not None
        # Samplers draw a seed when they are built. Always draw exactly one here, so that the order of training images
        # does not depend on whether there is a test split.
        np.random.set_state(random_state)
        sync_random_seed()
        runner.tests_at_the_end = has_test
        for hook in runner.hooks if has_test else ():
            if isinstance(hook, DataModelCheckHook):
                hook.before_test(runner)
        runner.train()
        if not has_test:
            return
        # With several metrics in save_best, each has its own best checkpoint. That of the first metric is tested.
        known = runner.message_hub.runtime_info.items()
        best = next((path for key, path in known if key.startswith('best_ckpt') and path), None)
        # The main process may still be writing a checkpoint.
        barrier()
        # Without a shared file system, only the first machine has the file, but all must test the same weights.
        found = torch.tensor(int(bool(best) and Path(best).is_file()))
        all_reduce(found, 'min')
        # The checkpoint is loaded, not resumed: resuming would make EMAHook swap the weights once more.
        framework.set_resuming(runner, False)
        if found:
            runner.load_checkpoint(best)
        elif best:
            runner.logger.warning(f'{best} cannot be read by every process: testing the last weights.')
        averages = _KeptAverages(runner)
        runner.hooks.append(averages)
        try:
            runner.test()
        finally:
            runner.hooks.remove(averages)


class _KeptAverages(Hook):
    """Gives EMAHooks their averages back, since at the start of a test they begin again from the model's weights."""

    def __init__(self, runner: Runner):
        self.states = [
            (hook, copy.deepcopy(hook.ema_model.state_dict())) for hook in runner.hooks if isinstance(hook, EMAHook)
        ]

    def before_run(self, runner: Runner) -> None:
        for hook, state in self.states:
            hook.ema_model.load_state_dict(state)
