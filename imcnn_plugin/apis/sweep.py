"""Variants x seeds: each a training of its own, a row of figures in a file, and one table of all."""

import argparse
import fcntl
import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

from mmengine.config import DictAction
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from ..errors import ConfigError, DataError
from .runner import load_config
from .sweep_rows import KEY, append_row, read_rows

# Where a run and its data lie, and what a GPU switches on by itself, make no other experiment.
NOT_HASHED = {'work_dir', 'data_root', 'pin_memory', 'persistent_workers'}
# The folders of an absolute path, which name a machine and its user.
FOLDERS = re.compile(r'(?<![\w.*~-])~?/(?:[^/\s,\'")\]]+/)*')
HASH_FILE = 'config_hash.txt'


@dataclass(frozen=True)
class Variant:
    """A config with options, under the name of its row in the table."""

    name: str
    config: str
    options: Tuple[str, ...] = ()
    config_hash: str = ''


@dataclass(frozen=True)
class Job:
    """A variant with a seed, and the folder that it is trained in."""

    variant: Variant
    seed: int
    folder: Path

    def __str__(self) -> str:
        return f'{self.variant.name}, seed {self.seed}'


def parse_variant(text: str, common: Sequence[str] = ()) -> Variant:
    """A variant from ``NAME=CONFIG [KEY=VALUE ...]``, quoted as in a shell, with options before its own.

    Raises:
        ConfigError: It is not of this form, or the config cannot be read with the options.
    """
    name, _, rest = text.partition('=')
    try:
        config, *options = shlex.split(rest)
    except ValueError as error:
        raise ConfigError(f"'{text}': expected NAME=CONFIG [KEY=VALUE ...]") from error
    options = (*common, *options)
    if not name.strip() or not all(re.match(r'[\w.]+=', option) for option in options):
        raise ConfigError(f"'{text}' with options {list(common)}: expected NAME=CONFIG [KEY=VALUE ...]")
    return Variant(name.strip(), config, options, hash_config(config, options))


def lambda_variants(values: Sequence[str], config: str, common: Sequence[str] = ()) -> List[Variant]:
    """A variant for each weight of the identity loss; at 0 there is no identity branch."""
    variants = []
    for value in values:
        try:
            option = f'model.head.loss.id_weight={value}' if float(value) else 'model.head.id_head=None'
        except ValueError as error:
            raise ConfigError(f"lambda '{value}' is not a number") from error
        variants.append(parse_variant(f'lambda {value}={shlex.quote(config)} {option}', common))
    return variants


def hash_config(config: str, options: Sequence[str]) -> str:
    """16 hexadecimal digits for what is trained: another config or option gives others, other folders or seeds do not.

    Raises:
        ConfigError: The config cannot be read with the options.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    cfg_options = parser.parse_args(['--cfg-options', *options]).cfg_options if options else {}
    try:
        values = load_config(config, cfg_options=cfg_options).to_dict()
    except Exception as error:
        # mmengine has no error of its own for a file or a key that it cannot use.
        raise ConfigError(f'{config} cannot be read with options {list(options)}: {error}') from error

    def kept(node):
        if isinstance(node, dict):
            return {str(key): kept(value) for key, value in node.items() if key not in NOT_HASHED}
        return [kept(value) for value in node] if isinstance(node, (list, tuple)) else node

    values = kept(values)
    (values.get('randomness') or {}).pop('seed', None)
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


def make_row(job: Job, report: dict, seconds: float, resumed: bool) -> dict:
    """What is kept of a run: figures, what its intervals need and what it was made with; no absolute paths."""
    config = Path(job.variant.config)
    if config.is_absolute():
        config = config.relative_to(Path.cwd()) if config.is_relative_to(Path.cwd()) else Path(config.name)
    return dict(
        name=job.variant.name,
        config=str(config),
        options=[FOLDERS.sub('', option) for option in job.variant.options],
        config_hash=job.variant.config_hash,
        seed=job.seed,
        **{key: report[key] for key in ('protocol', 'split', 'fold', 'num_images') if key in report},
        mean_accuracy=round(report['mean_accuracy'], 4),
        **{key: report['means'][key] for key in ('agreement', 'label_agreement')},
        accuracy={
            name: None if values['accuracy'] is None else round(values['accuracy'], 4)
            for name, values in report['attributes'].items()
        },
        by_identity=report['by_identity'],
        checksums=report['checksums'],
        seconds=round(seconds, 1),
        resumed=resumed,
        versions=report['versions'],
    )


class Sweep:
    """Trains what is not yet in the results file, and appends a row for each training that ended well.

    Args:
        variants: What to train, with different names.
        seeds: Each variant is trained with each of them.
        out: Folder of the work folders ``<name>-seed<k>``, in each of which ``train.log`` has the output.
        results: The results file.
        script: ``tools/train.py``.
        data_root: Replaces the configs' ``data_root``.
        jobs: How many run at once.

    Raises:
        ConfigError: Names or seeds are given twice, or a work folder is of another config.
    """

    def __init__(
        self,
        variants: Sequence[Variant],
        seeds: Sequence[int],
        out: Union[str, Path],
        results: Union[str, Path],
        script: Union[str, Path],
        data_root: Optional[str] = None,
        jobs: int = 1,
    ):
        self.jobs = [
            Job(variant, seed, Path(out, f'{slug(variant)}-seed{seed}')) for variant in variants for seed in seeds
        ]
        twice = [folder.name for folder, count in Counter(job.folder for job in self.jobs).items() if count > 1]
        if twice:
            raise ConfigError(f'each variant needs a name and each run a seed of its own: {twice} would be two runs')
        self.results = results
        self.script = script
        self.data_root = data_root
        self.at_once = max(1, jobs)
        self.running: Dict[Job, subprocess.Popen] = {}
        self.stopped = False
        self.lock = threading.Lock()

    def run(self) -> Dict[Job, str]:
        """Trains, and returns for each run that failed what was last said of it."""
        done = {tuple(row[key] for key in KEY) for row in read_rows(self.results, mend=True)}
        todo = [job for job in self.jobs if (job.variant.name, job.variant.config_hash, job.seed) not in done]
        for job in todo:
            check_folder(job)
        console = Console(soft_wrap=True, highlight=False, markup=False)
        console.print(f'Runs: {len(self.jobs)}, of which {self.results} has {len(self.jobs) - len(todo)}')
        failed, start = {}, time.monotonic()
        # What ends this process must end the trainings, or the next sweep would find them running.
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        pool = ThreadPoolExecutor(self.at_once)
        try:
            columns = ('{task.description}', BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
                bar = progress.add_task('trainings', total=len(todo))
                futures = {pool.submit(self._train, job): job for job in todo}
                for count, future in enumerate(as_completed(futures), 1):
                    job = futures[future]
                    try:
                        said = f'{future.result()["mean_accuracy"]:.2f} %'
                    except (DataError, OSError, RuntimeError) as error:
                        failed[job] = str(error)
                        said = f'failed: {error}'
                    passed = time.monotonic() - start
                    left = passed / count * (len(todo) - count)
                    timing = f'{duration(passed)} passed, about {duration(left)} left'
                    console.print(f'[{count}/{len(todo)}] {job}: {said}; {timing}')
                    progress.advance(bar)
        finally:
            self._stop()
            pool.shutdown(cancel_futures=True)
            signal.signal(signal.SIGTERM, before)
        return failed

    def _stop(self) -> None:
        with self.lock:
            self.stopped = True
            for process in self.running.values():
                process.terminate()

    def _train(self, job: Job) -> dict:
        """Trains in a process of its own, appends the row and returns it.

        Raises:
            RuntimeError: The training failed; says how.
        """
        job.folder.mkdir(parents=True, exist_ok=True)
        # Without a checkpoint --resume would forget the weights that the config starts from.
        resumed = Path(job.folder, 'last_checkpoint').is_file()
        command = [sys.executable, str(self.script), job.variant.config, '--work-dir', str(job.folder)]
        command += ['--resume'] if resumed else []
        command += ['--data-root', self.data_root] if self.data_root else []
        command += ['--cfg-options', *job.variant.options, f'randomness.seed={job.seed}']
        cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
        threads = str(max(1, cores // self.at_once))
        path, start = Path(job.folder, 'train.log'), time.monotonic()
        with open(path, 'ab') as log:
            try:
                # The training inherits the open file and with it the lock, and keeps it until its own end.
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RuntimeError(f'{job.folder} is being trained in by another process') from error
            Path(job.folder, HASH_FILE).write_text(job.variant.config_hash + '\n')
            with self.lock:
                if self.stopped:
                    raise RuntimeError('stopped')
                # Like other tools, this leaves a number of threads alone that is set already.
                process = self.running[job] = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={'OMP_NUM_THREADS': threads, **os.environ},
                )
            status = process.wait()
        seconds = time.monotonic() - start
        with self.lock:
            del self.running[job]
        if status:
            raise RuntimeError(f'{last_line(path)} (exit status {status}, {path})')
        try:
            report = json.loads(Path(job.folder, 'per_attribute.json').read_text(encoding='utf-8'))
        except (OSError, ValueError) as error:
            raise RuntimeError(f'{job.folder} has no per_attribute.json: does its config test attributes?') from error
        row = make_row(job, report, seconds, resumed)
        with self.lock:
            append_row(self.results, row)
        return row


def slug(variant: Variant) -> str:
    """The name as a file name."""
    return re.sub('[^a-z0-9.]+', '_', variant.name.lower()).strip('_.') or 'variant'


def check_folder(job: Job) -> None:
    """Checks that what is resumed, and reported as this run's, is this run.

    Raises:
        ConfigError: The work folder has checkpoints of another config.
    """
    note = Path(job.folder, HASH_FILE)
    if Path(job.folder, 'last_checkpoint').is_file() and not (
        note.is_file() and note.read_text().strip() == job.variant.config_hash
    ):
        raise ConfigError(
            f'{job.folder} has checkpoints of another config than {job.variant.name} has now: move it away, or give '
            'another --out'
        )


def last_line(path: Path) -> str:
    lines = path.read_text(encoding='utf-8', errors='replace').split('\n')
    return next((line.strip() for line in reversed(lines) if line.strip()), 'nothing was printed')


def duration(seconds: float) -> str:
    """In seconds, minutes or hours, whichever can be read."""
    if seconds < 90:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    return f'{minutes} min' if minutes < 90 else f'{minutes // 60} h {minutes % 60:02} min'


def group_rows(rows: Sequence[dict], variants: Sequence[Variant] = ()) -> Dict[str, List[dict]]:
    """Rows by variant, in the order of ``variants`` or, without any, of the file.

    Where the file has several configs of one name, the name is followed by the config's hash.
    """
    if variants:
        keys = {(variant.name, variant.config_hash): variant.name for variant in variants}
    else:
        keys = {(row['name'], row['config_hash']): row['name'] for row in rows}
        names = Counter(keys.values())
        keys = {key: name if names[name] == 1 else f'{name} ({key[1]})' for key, name in keys.items()}
    groups = {name: [row for row in rows if (row['name'], row['config_hash']) == key] for key, name in keys.items()}
    return {name: group for name, group in groups.items() if group}


def choose_baseline(name: Optional[str], variants: Sequence[Variant]) -> Optional[str]:
    """What the variants are compared with, by default the first of them; whatever is asked for where there are none.

    Raises:
        ConfigError: It is none of the variants.
    """
    names = [variant.name for variant in variants]
    if name and names and name not in names:
        raise ConfigError(f"the baseline '{name}' is none of the variants {names}")
    return name or next(iter(names), None)
