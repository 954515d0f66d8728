from functools import partial
from pathlib import Path

import torch.distributed
from mmengine.config import Config, ConfigDict
from mmengine.dist import all_reduce, barrier
from mmengine.hooks import EMAHook
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from ..errors import ConfigError, DataError, plain_errors, unfit_weights
from .launch import init_cpu_processes


def build_runner(cfg: Config, strict: bool = False) -> Runner:
    """The runner of a config, on GPUs or, where there are none, on CPU processes over gloo.

    Args:
        cfg: The config.
        strict: The checkpoint to be loaded must have all weights of the model and no others, as where a test or a
            resumed training begins with it. mmengine only warns, and goes on with random weights in their place.

    Raises:
        ConfigError: The launcher needs GPUs, or a part cannot be built of what the config says.
    """
    if cfg.launcher != 'none' and not torch.cuda.is_available():
        # mmengine asks for a GPU when it starts processes itself and when it wraps the model, and torch has
        # synchronised batch normalisation for GPUs alone.
        init_cpu_processes(cfg.launcher, cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout'))
        cfg.model_wrapper_cfg = ConfigDict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
        cfg.sync_bn = None
    if not cfg.get('model'):
        raise ConfigError(f'{cfg.filename} has no model')
    with plain_errors(cfg):
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    if strict:
        runner.load_checkpoint = partial(load_strictly, runner)
    return runner


def load_strictly(runner: Runner, path: str, **kwargs) -> dict:
    """``Runner.load_checkpoint``, which refuses weights of another model and, to be resumed, a file without a place.

    Raises:
        DataError: Says what does not fit.
    """
    try:
        checkpoint = type(runner).load_checkpoint(runner, path, **{**kwargs, 'strict': True})
    except (RuntimeError, AttributeError, TypeError) as error:
        raise unfit_weights(path, error) from error
    meta = checkpoint.get('meta') or {}
    if runner._resume and not all(isinstance(meta.get(key), int) for key in ('epoch', 'iter')):
        raise DataError(f'{path} does not say at which epoch and iteration it was written: give it as load_from')
    return checkpoint


def train_and_test(runner: Runner) -> None:
    """Trains and, where there is a test part, tests what was best on validation, else the last weights."""
    with plain_errors(runner.cfg):
        # Asking for the loop builds it: a test part that cannot be read is known now and not after the training.
        has_test = runner.test_loop is not None
        runner.train()
        if not has_test:
            return
        best = runner.message_hub.runtime_info.get('best_ckpt')
        # The main process writes checkpoints while the others go on.
        barrier()
        # Machines without a common file system have it on the first one only; all must test the same weights.
        found = torch.tensor(int(bool(best) and Path(best).is_file()))
        all_reduce(found, 'min')
        # What follows resumes nothing, where EMAHook would take the averages of a checkpoint for the other weights.
        runner._resume = False
        if found:
            runner.load_checkpoint(best)
        elif best:
            runner.logger.warning(f'{best} cannot be read by every process: testing the last weights.')
        for hook in runner.hooks:
            # The averages, also the checkpoint's, lie in EMAHook, and the test begins with new ones of the model.
            if isinstance(hook, EMAHook) and (found or hook._ema_started(runner)):
                hook._swap_ema_parameters()
        runner.test()
