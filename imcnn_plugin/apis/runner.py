"""From a config file and a user's wishes to a runner: what ``tools/train.py`` and ``tools/test.py`` share."""

import atexit
import os
import subprocess
import sys
import traceback
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Iterator, Optional, Union

import torch
import torch.distributed
from mmengine.config import Config, ConfigDict
from mmengine.dist import all_reduce, barrier
from mmengine.hooks import EMAHook
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from ..errors import ConfigError, DataError, IMCNNError

# What torch.distributed reads, and where srun says it.
SLURM_NAMES = dict(RANK='SLURM_PROCID', WORLD_SIZE='SLURM_NTASKS', LOCAL_RANK='SLURM_LOCALID')
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def load_config(
    path: Union[str, Path],
    data_root: Optional[str] = None,
    work_dir: Optional[str] = None,
    cfg_options: Optional[dict] = None,
    launcher: str = 'none',
) -> Config:
    """Loads a config and settles what a command line may change.

    Args:
        path: The config file.
        data_root: Replaces ``data_root`` wherever the config has it. So does ``data_root`` in ``cfg_options``.
        work_dir: Where results go; defaults to the config's, then to ``work_dirs/<name of the config>``.
        cfg_options: Values by dotted keys.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        ConfigError: The file cannot be read, a value cannot be set, or a section is of the wrong kind.
    """
    try:
        cfg = Config.fromfile(path)
    # A config is a program, which may raise anything.
    except Exception as error:
        raise ConfigError(f'{path}: this config cannot be read ({in_one_line(error)})') from error
    data_root = data_root or (cfg_options or {}).get('data_root')
    if data_root:
        replace_data_root(cfg._cfg_dict, str(Path(str(data_root)).expanduser()))
    for key, value in (cfg_options or {}).items():
        set_option(cfg, key, value)
    check_sections(cfg)
    cfg.launcher = launcher
    cfg.work_dir = work_dir or cfg.get('work_dir') or str(Path('work_dirs', Path(path).stem))
    for name in LOADERS:
        if loader := cfg.get(name):
            if not loader.get('num_workers'):
                loader.persistent_workers = False
            loader.setdefault('persistent_workers', True)
            # What is on the device already cannot be pinned.
            loader.setdefault('pin_memory', torch.cuda.is_available() and not loader.dataset.get('device'))
    return cfg


def in_one_line(error: Exception) -> str:
    """The kind of an error and what it says, for a message."""
    return f'{type(error).__name__}: {" ".join(str(error).split())[:300]}'


def unfit_weights(path: Union[str, Path], error: Exception) -> DataError:
    """What is to be raised where a checkpoint's weights did not go into the model."""
    return DataError(f'{path}: its weights are not those of the model in the config ({in_one_line(error)})')


def set_option(cfg: Config, key: str, value: Any) -> None:
    """Sets what a user gave by a dotted key.

    Raises:
        ConfigError: There is no such place, or a number there and the value is none.
    """
    found = cfg._cfg_dict
    for name in key.split('.'):
        found = found.get(name) if isinstance(found, dict) else None
    if is_number(found) and value is not None and not is_number(value):
        raise ConfigError(f'{key} is {value!r}, but {cfg.filename} has {found!r} there: give a number')
    try:
        cfg.merge_from_dict({key: value})
    # A place in a list that has no such place, or in what has no places.
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f'{key}={value!r} cannot be set in {cfg.filename} ({in_one_line(error)})') from error


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_sections(cfg: Config) -> None:
    """Refuses a config whose model or data loaders are something else.

    Raises:
        ConfigError: Names the key and what is there.
    """
    # A base config has no model.
    sections = dict(model=cfg.get('model', {}))
    for name in LOADERS:
        if (loader := cfg.get(name)) is not None:
            sections[name] = loader
            sections[f'{name}.dataset'] = loader.get('dataset') if isinstance(loader, dict) else {}
            if isinstance(loader, dict) and not isinstance(loader.get('batch_size', 1), int):
                raise ConfigError(
                    f'{cfg.filename}: {name}.batch_size is {loader.batch_size!r}, expected a whole number'
                )
    for key, section in sections.items():
        if not isinstance(section, dict):
            raise ConfigError(f'{cfg.filename}: {key} is {section!r}, expected a dict')


def drop_identity_head(cfg: Config) -> None:
    """For tests and predictions, which do not run it and then need not know the number of identities."""
    if 'id_head' in ((cfg.get('model') or {}).get('head') or {}):
        cfg.model.head.id_head = None


def replace_data_root(node, data_root: str) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == 'data_root':
                node[key] = data_root
            else:
                replace_data_root(value, data_root)
    elif isinstance(node, (list, tuple)):
        for value in node:
            replace_data_root(value, data_root)


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


@contextmanager
def plain_errors(cfg: Config) -> Iterator[None]:
    """Makes errors of this package, of one line, of those of parts that cannot be built and of a loader's workers.

    Raises:
        ConfigError: A part cannot be built of what the config says.
        DataError: A file is not there.
    """
    try:
        yield
    except IMCNNError as error:
        # torch puts the traceback of a worker's process before the message.
        message = str(error).rstrip().split('\n')[-1]
        if message == str(error):
            raise
        raise type(error)(message.partition(': ')[2]) from error
    except FileNotFoundError as error:
        raise DataError(str(error).rstrip().split('\n')[-1]) from error
    except Exception as error:
        calls = traceback.extract_tb(error.__traceback__)
        if not any(f'{os.sep}mmengine{os.sep}' in call.filename and call.name.startswith('build_') for call in calls):
            raise
        raise ConfigError(f'{cfg.filename}: a part of it cannot be built ({in_one_line(error)})') from error


def init_cpu_processes(launcher: str, timeout: Optional[float] = None) -> None:
    if torch.distributed.is_initialized():
        return
    if launcher == 'slurm':
        for name, slurm_name in SLURM_NAMES.items():
            os.environ[name] = os.environ[slurm_name]
        if 'MASTER_ADDR' not in os.environ:
            command = ['scontrol', 'show', 'hostnames', os.environ['SLURM_JOB_NODELIST']]
            hosts = subprocess.check_output(command, text=True)
            os.environ['MASTER_ADDR'] = hosts.split()[0]
    elif launcher != 'pytorch':
        raise ConfigError(f"launcher '{launcher}' needs GPUs: without them use 'pytorch' or 'slurm'")
    torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=timeout) if timeout else None)


def leave_processes() -> None:
    """Ends a process that a launcher began and that is done; returns where there is no launcher.

    Threads of gloo may still wait for the interpreter. When Python takes itself down, it then hangs or aborts.
    """
    if not torch.distributed.is_initialized():
        return
    torch.distributed.destroy_process_group()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


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
