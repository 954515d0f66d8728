"""What the tools print and write."""

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, Optional, Sequence

import torch

from imcnn_plugin.errors import IMCNNError
from imcnn_plugin.files import write_text
from imcnn_plugin.tables import aligned_lines

from .roofline import name_of
from .timing import format_seconds


def run_in_folder(measure: Callable[[argparse.Namespace, Path], None], args: argparse.Namespace) -> None:
    """Calls ``measure(args, folder)`` with a folder that is gone afterwards, and ends the process with an error."""
    with tempfile.TemporaryDirectory(prefix=f'{Path(sys.argv[0]).stem}_') as folder:
        try:
            measure(args, Path(folder))
        except IMCNNError as error:
            sys.exit(f'error: {error}')


def the_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device('cuda' if torch.cuda.is_available() else 'cpu')


def describe_machine() -> dict:
    """What the figures were measured on."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return dict(
        gpu=gpu,
        machine=platform.machine(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
    )


def show_machine(machine: dict) -> str:
    where = machine['gpu'] or f'no GPU, {machine["machine"]} with {machine["cpu_capability"]}'
    return f'{where}, {machine["cores"]} cores, {machine["threads"]} threads, torch {machine["torch"]}'


def show_limits(limit: Dict[str, float], limits: Dict[torch.dtype, float]) -> str:
    """The machine's rates and what they make of a step or a batch."""
    rates = ', '.join(f'{limit[name_of(dtype)] / 1e9:.4g} GFLOP/s in {name_of(dtype)}' for dtype in limits)
    seconds = ', '.join(f'{format_seconds(value)} in {name_of(dtype)}' for dtype, value in limits.items())
    return f'{limit["bandwidth"] / 1e9:.4g} GB/s, {rates}: {seconds}'


def show_table(rows: Sequence[Sequence[str]]) -> str:
    lines = aligned_lines(rows)
    return '\n'.join([lines[0], '-' * len(lines[0]), *lines[1:]])


def write_json(out: Optional[str], values: dict) -> None:
    """Writes all figures to a file, where one is wanted."""
    if out:
        write_text(Path(out), json.dumps(values, indent=1) + '\n')


def positive(text: str) -> int:
    """A number on a command line that must be at least 1."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number of at least 1")
    return int(text)


def hours(seconds: float) -> str:
    return f'{seconds / 3600:.1f} h' if seconds >= 3600 else f'{seconds / 60:.1f} min'
