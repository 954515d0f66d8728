"""Shared by all benchmarks: timing in turn, the command line, tables and the JSON file."""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

import numpy as np
import torch

from imcnn_cli import add_out, between, make_parser
from imcnn_plugin.files import write_text
from imcnn_plugin.tables import aligned_lines


def the_device() -> torch.device:
    """The GPU if available, otherwise the CPU."""
    return torch.device('cuda' if torch.cuda.is_available() else 'cpu')


def synchronize() -> None:
    """Waits for the GPU, if available."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def alternate(
    variants: Dict[str, Callable[[], object]],
    rounds: int,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    prepare: Dict[str, Callable[[], object]] = {},
) -> Dict[str, List[float]]:
    """Times variants in turn, A B C A B C ..., so that a slowdown of the machine affects all of them.

    Args:
        variants: Functions to time, by name.
        rounds: Number of timed rounds.
        warm_up: Number of untimed rounds before them.
        clock: Function that returns seconds; ``time.process_time`` for CPU time.
        prepare: Functions called before the variant of the same name, untimed.

    Returns:
        Seconds of each variant in each round. Progress is printed every few seconds.
    """
    seconds = {name: [] for name in variants}
    last_print = time.perf_counter()
    for index in range(-warm_up, rounds):
        shown = []
        for name, run in variants.items():
            if name in prepare:
                prepare[name]()
            synchronize()
            start = clock()
            run()
            synchronize()
            taken = clock() - start
            shown.append(f'{name} {format_seconds(taken)}')
            if index >= 0:
                seconds[name].append(taken)
        if time.perf_counter() - last_print > 2:
            last_print = time.perf_counter()
            title = f'round {index + 1} of {rounds}' if index >= 0 else 'warm-up'
            print(f'  {title}: {"; ".join(shown)}', flush=True)
    return seconds


def summarize(seconds: Sequence[float]) -> Dict[str, float]:
    """Median, quartiles and minimum (``least``)."""
    least, lower, median, upper = np.percentile(seconds, (0, 25, 50, 75))
    return dict(median=float(median), lower_quartile=float(lower), upper_quartile=float(upper), least=float(least))


def speedup(baseline: Sequence[float], seconds: Sequence[float]) -> float:
    """The speedup over the baseline: the median over rounds of the ratio within a round."""
    return float(np.median(np.divide(baseline, seconds)))


def format_seconds(seconds: float) -> str:
    """Formats seconds with three digits and a unit."""
    factor, unit = (1, 's') if seconds >= 1 else (1e3, 'ms') if seconds >= 1e-3 else (1e6, 'us')
    return f'{seconds * factor:.3g} {unit}'


def cell(value: Optional[float], form: str) -> str:
    """Formats a number for a table; '-' if it was not measured."""
    return '-' if value is None else format(value, form)


def cells(row: dict, **forms: str) -> List[str]:
    """:func:`cell` of several values of a row, with the format of each."""
    return [cell(row.get(name), form) for name, form in forms.items()]


def gpu_cells(row: dict) -> List[str]:
    """Cells for the columns 'GPU busy' and 'peak GB', from :func:`~benchlib.roofline.gpu_use`."""
    return [cell(row.get('gpu_busy'), '.0%'), cell(row.get('peak_bytes', 0) / 1e9 or None, '.1f')]


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Prints rows of cells, headings first, after an empty line."""
    print('', *aligned_lines(rows, rules=[1]), sep='\n')


def make_benchmark_parser(
    description: str, *examples: str, rounds: int, batch_size: int = 64
) -> argparse.ArgumentParser:
    """A parser with the options of every benchmark and their defaults; see :func:`imcnn_cli.make_parser`."""
    parser = make_parser(description, *examples)
    add_number(parser, '--batch-size', batch_size, 'images per batch')
    add_number(parser, '--rounds', rounds, 'number of times each variant is timed')
    add_out(parser, 'all results, as JSON', required=False)
    return parser


def add_compile(parser: argparse.ArgumentParser, default: bool) -> None:
    """Adds the option to include compiled variants."""
    parser.add_argument(
        '--compile',
        action=argparse.BooleanOptionalAction,
        help='also compile, minutes on a CPU; default on a GPU only',
    )
    # Not above, since BooleanOptionalAction would append the default to the help.
    parser.set_defaults(compile=default)


def add_number(
    parser: argparse.ArgumentParser, name: str, default: float, help: str, type: Callable[[str], float] = between(1)
) -> None:
    """Adds an option for a number, by default an integer of at least 1."""
    parser.add_argument(name, type=type, default=default, metavar='N', help=f'{help}; default %(default)s')


def run(measure: Callable[[argparse.Namespace, Path], dict], args: argparse.Namespace) -> dict:
    """Runs a benchmark.

    Args:
        measure: Called with ``args`` and a temporary folder; returns its figures.
        args: Arguments from :func:`make_benchmark_parser`. Figures, settings and machine are written to ``args.out``.

    Returns:
        The figures.
    """
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    machine = dict(
        gpu=gpu,
        machine=platform.machine(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
    )
    where = gpu or f'no GPU, {machine["machine"]} with {machine["cpu_capability"]}'
    print(f'{where}, {machine["cores"]} cores, {machine["threads"]} threads, torch {machine["torch"]}', flush=True)
    with tempfile.TemporaryDirectory(prefix=f'{Path(sys.argv[0]).stem}_') as folder:
        figures = measure(args, Path(folder))
        if args.out:
            values = dict(machine=machine, settings=vars(args), **figures)
            write_text(Path(args.out), json.dumps(values, indent=1) + '\n')
    return figures
