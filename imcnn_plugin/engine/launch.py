import os
import subprocess
import sys
from datetime import timedelta
from typing import Optional

import torch.distributed

from ..errors import ConfigError, one_line
from ..framework import run_exit_functions

# The variables that torch.distributed reads, and those in which srun provides the values.
_SLURM_NAMES = dict(RANK='SLURM_PROCID', WORLD_SIZE='SLURM_NTASKS', LOCAL_RANK='SLURM_LOCALID')


def init_cpu_processes(launcher: str, timeout: Optional[float] = None) -> None:
    """Initializes torch.distributed over gloo, for processes on CPUs.

    Args:
        launcher: 'pytorch' or 'slurm'.
        timeout: Seconds after which processes stop waiting for each other; None is torch's default.

    Raises:
        ConfigError: The launcher needs GPUs, or did not start this process.
    """
    if torch.distributed.is_initialized():
        return
    if launcher not in ('pytorch', 'slurm'):
        raise ConfigError(f"launcher '{launcher}' needs GPUs: without them use 'pytorch' or 'slurm'")
    try:
        if launcher == 'slurm':
            for name, slurm_name in _SLURM_NAMES.items():
                os.environ[name] = os.environ[slurm_name]
            if 'MASTER_ADDR' not in os.environ:
                command = ['scontrol', 'show', 'hostnames', os.environ['SLURM_JOB_NODELIST']]
                os.environ['MASTER_ADDR'] = subprocess.check_output(command, text=True).split()[0]
        torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=timeout) if timeout else None)
    # A variable is missing or not a number, or the port is taken.
    except (KeyError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"launcher '{launcher}' cannot start ({one_line(error)}): use tools/dist_train.sh, tools/dist_test.sh or "
            'tools/slurm_train.sh, with PORT set to a free one'
        ) from error


def shutdown_distributed() -> None:
    """Ends a process that a launcher started; does nothing without a launcher.

    Gloo threads may still be waiting for the interpreter, so that its normal shutdown would hang or abort.
    """
    if not torch.distributed.is_initialized():
        return
    torch.distributed.destroy_process_group()
    run_exit_functions()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
