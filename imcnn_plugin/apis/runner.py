"""From a config file and a user's wishes to a runner: what ``tools/train.py`` and ``tools/test.py`` share."""

import os
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Optional, Union

import torch
import torch.distributed
from mmengine.config import Config, ConfigDict
from mmengine.dist import all_reduce, barrier
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from ..errors import ConfigError

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
    """
    cfg = Config.fromfile(path)
    data_root = data_root or (cfg_options or {}).get('data_root')
    if data_root:
        replace_data_root(cfg._cfg_dict, str(Path(data_root).expanduser()))
    if cfg_options:
        cfg.merge_from_dict(cfg_options)
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


def drop_identity_head(cfg: Config) -> None:
    """For tests and predictions, which do not run it and then need not know the number of identities."""
    if 'id_head' in cfg.model.head:
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


def build_runner(cfg: Config) -> Runner:
    """The runner of a config, on GPUs or, where there are none, on CPU processes over gloo.

    Raises:
        ConfigError: The launcher needs GPUs.
    """
    if cfg.launcher != 'none' and not torch.cuda.is_available():
        # mmengine asks for a GPU when it starts processes itself and when it wraps the model, and torch has
        # synchronised batch normalisation for GPUs alone.
        init_cpu_processes(cfg.launcher, cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout'))
        cfg.model_wrapper_cfg = ConfigDict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
        cfg.sync_bn = None
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


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


def train_and_test(runner: Runner) -> None:
    """Trains and, where there is a test part, tests what was best on validation, else the last weights."""
    # Asking for the loop builds it, so that a test part that cannot be read is known now and not after the training.
    has_test = runner.test_loop is not None
    runner.train()
    if not has_test:
        return
    best = runner.message_hub.runtime_info.get('best_ckpt')
    # The main process writes checkpoints while the others go on.
    barrier()
    # Machines without a common file system have the file on the first one only, and all must test the same weights.
    found = torch.tensor(int(bool(best) and Path(best).is_file()))
    all_reduce(found, 'min')
    if found:
        runner.load_checkpoint(best)
    elif best:
        runner.logger.warning(f'{best} cannot be read by every process: testing the last weights.')
    runner.test()
