"""Variants x seeds: each a training of its own, and a row of figures in a file."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Dict, Optional, Sequence, Union

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from ..engine.training_log import METRICS, read_log
from ..errors import ConfigError, DataError
from ..parallel import usable_cores
from .job import Job, folder_name
from .results_file import KEY, append_row, make_row, read_rows
from .variant import Variant


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
            Job(variant, seed, Path(out, folder_name(variant, seed))) for variant in variants for seed in seeds
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
            job.check_folder()
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
        resumed = job.has_checkpoint
        command = [sys.executable, str(self.script), job.variant.config, '--work-dir', str(job.folder)]
        command += ['--resume'] if resumed else []
        command += ['--data-root', self.data_root] if self.data_root else []
        command += ['--cfg-options', *job.options]
        threads = str(max(1, usable_cores() // self.at_once))
        path, start = Path(job.folder, 'train.log'), time.monotonic()
        with open(path, 'ab') as log:
            try:
                # The training inherits the open file and with it the lock, and keeps it until its own end.
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RuntimeError(f'{job.folder} is being trained in by another process') from error
            job.hash_file.write_text(job.variant.config_hash + '\n')
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
        row = make_row(job, report, validation_of_tested(job.folder, report), seconds, resumed)
        with self.lock:
            append_row(self.results, row)
        return row


def validation_of_tested(folder: Path, report: dict) -> Optional[float]:
    """The mean accuracy on the validation part of the epoch that was tested; None where nothing was validated.

    Args:
        folder: The work folder.
        report: Of the test, with the config: without ``save_best`` the last epoch was tested.
    """
    log = read_log(folder)
    if not log or 'mean_accuracy' not in log.val:
        return None
    accuracy = log.val['mean_accuracy'][1]
    hooks = report.get('config', {}).get('default_hooks') or {}
    key = (hooks.get('checkpoint') or {}).get('save_best')
    # mmengine also takes a list. With several no best one is tested.
    [key] = key if isinstance(key, list) and len(key) == 1 else [None if isinstance(key, list) else key]
    by = log.val.get(key.removeprefix(METRICS), log.val['mean_accuracy'])[1] if key else None
    return float(accuracy[-1 if by is None else by.argmax()])


def last_line(path: Path) -> str:
    lines = path.read_text(encoding='utf-8', errors='replace').split('\n')
    return next((line.strip() for line in reversed(lines) if line.strip()), 'nothing was printed')


def duration(seconds: float) -> str:
    """In seconds, minutes or hours, whichever can be read."""
    if seconds < 90:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    return f'{minutes} min' if minutes < 90 else f'{minutes // 60} h {minutes % 60:02} min'
