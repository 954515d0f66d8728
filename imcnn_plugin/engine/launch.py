import atexit
import os
import subprocess
import sys
from datetime import timedelta
from typing import Optional

import torch.distributed

from ..errors import ConfigError

# What torch.distributed reads, and where srun says it.
SLURM_NAMES = dict(RANK='SLURM_PROCID', WORLD_SIZE='SLURM_NTASKS', LOCAL_RANK='SLURM_LOCALID')


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
