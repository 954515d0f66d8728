"""From a config file and a user's wishes to a runner: what ``tools/train.py`` and ``tools/test.py`` share."""

import os
from pathlib import Path
from typing import Optional, Union

import torch
import torch.distributed
from mmengine.config import Config, ConfigDict
from mmengine.dist import barrier
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
        if cfg.get(name):
            # With a data loader in this process there are no workers to keep.
            cfg[name].setdefault('persistent_workers', cfg[name].num_workers > 0)
            cfg[name].setdefault('pin_memory', torch.cuda.is_available())
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
        init_cpu_processes(cfg.launcher)
        cfg.model_wrapper_cfg = ConfigDict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
        cfg.sync_bn = None
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def init_cpu_processes(launcher: str) -> None:
    if torch.distributed.is_initialized():
        return
    if launcher == 'slurm':
        for name, slurm_name in SLURM_NAMES.items():
            os.environ[name] = os.environ[slurm_name]
    elif launcher != 'pytorch':
        raise ConfigError(f"launcher '{launcher}' needs GPUs: without them use 'pytorch' or 'slurm'")
    torch.distributed.init_process_group('gloo')


def evaluate_best(runner: Runner) -> dict:
    """Tests what a training has brought: the checkpoint that was best on validation, else the last weights.

    Returns:
        The metrics.
    """
    best = runner.message_hub.runtime_info.get('best_ckpt')
    # The main process writes checkpoints while the others go on.
    barrier()
    if best and Path(best).is_file():
        runner.load_checkpoint(best)
    return runner.test()
