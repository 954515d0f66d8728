"""Trains every variant with every seed, each run in its own process, and appends the results to a file."""

import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from itertools import product
from pathlib import Path
from typing import Dict, Optional, Sequence, Union

from ..checkpoints.find_latest import find_best
from ..engine.training_log import read_log
from ..errors import ConfigError, IMCNNError
from ..evaluation import REPORT_FILE, AttributeReport
from ..files import lock
from ..parallel import usable_cores
from ..progress import BETWEEN_LINES, format_duration, progress_bar
from ..signals import install_handlers, interrupt, restore_handlers
from .job import Job, _folder_name
from .results_file import _append, _append_row, _make_row, read_rows
from .variant import Variant


class Sweep:
    """Trains the runs that are missing from a results file, and appends a row for each that completes.

    Args:
        variants: Variants to train, with different names.
        seeds: Seeds to train each variant with.
        out: Parent of the work directories ``<name>-seed<k>[-fold<k>]``; ``train.log`` in each has the run's output.
        results: The results file.
        script: Path of ``tools/train.py``.
        data_root: Replaces the configs' ``data_root``.
        jobs: Number of concurrent runs.
        folds: Folds to test with each seed; None for variants without folds.

    Raises:
        ConfigError: Two runs would have the same work directory.
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
        folds: Sequence[Optional[int]] = (None,),
    ):
        self.jobs = [
            Job(variant, seed, Path(out, _folder_name(variant, seed, fold)), fold)
            for variant, seed, fold in product(variants, seeds, folds)
        ]
        if shared := [folder.name for folder, count in Counter(job.folder for job in self.jobs).items() if count > 1]:
            raise ConfigError(
                f'several runs would share {shared}: give variants different names, and seeds and folds once'
            )
        self.results = results
        self.script = script
        self.data_root = data_root
        self.at_once = max(1, jobs)
        self.running: Dict[Job, subprocess.Popen] = {}
        self.stopped = False
        self.lock = threading.Lock()

    def run(self) -> Dict[Job, str]:
        """Runs the sweep and returns the error message of each run that failed.

        Raises:
            ConfigError: A work directory has checkpoints of another config.
            DataError: The results file cannot be read or written.
        """
        rows = read_rows(self.results, repair=True)
        todo = [job for job in self.jobs if not job.has_row(rows)]
        for job in todo:
            job.check_folder()
        # Fail before the first run if the file cannot be written.
        _append(self.results, b'')
        print(f'{len(self.jobs)} runs, {len(self.jobs) - len(todo)} of them already in {self.results}', flush=True)
        failed = {}
        # Ending this process must end its runs, or the next sweep would find them running.
        before = install_handlers(interrupt, signal.SIGTERM)
        pool = ThreadPoolExecutor(self.at_once)
        try:
            with progress_bar('Runs', len(todo)) as advance:
                futures = {pool.submit(self._train, job): job for job in todo}
                start, pending, count = time.monotonic(), {*futures}, 0
                while pending:
                    done, pending = wait(pending, BETWEEN_LINES, FIRST_COMPLETED)
                    for future in done:
                        job, count = futures[future], count + 1
                        try:
                            outcome = f'{future.result()["mean_accuracy"]:.2f} %'
                        except (IMCNNError, OSError, RuntimeError) as error:
                            failed[job] = str(error)
                            outcome = f'failed: {error}'
                        print(f'[{count}/{len(todo)}] {job}: {outcome}', flush=True)
                        advance()
                    # Until a run completes, the estimates of the running ones are all that is known.
                    if not count and (rest := self._first_estimate(len(todo), time.monotonic() - start)):
                        print(f'Runs: 0 of {len(todo)}, about {format_duration(rest)} left', flush=True)
        finally:
            self._stop()
            pool.shutdown(cancel_futures=True)
            restore_handlers(before)
        return failed

    def _first_estimate(self, runs: int, elapsed: float) -> Optional[float]:
        """Seconds until all runs are done, estimated from the ETAs that the first ones log; None if there are none."""
        with self.lock:
            logs = [Path(job.folder, 'train.log') for job in self.running]
        rests = [rest for path in logs if (rest := _logged_rest(path)) is not None]
        if not rests:
            return None
        return max(rests) + (math.ceil(runs / self.at_once) - 1) * (elapsed + max(rests))

    def _stop(self) -> None:
        with self.lock:
            self.stopped = True
            for process in self.running.values():
                process.terminate()

    def _train(self, job: Job) -> dict:
        """Trains in a new process, appends the row and returns it.

        Raises:
            RuntimeError: The run failed. The message has the last line of its log.
        """
        job.folder.mkdir(parents=True, exist_ok=True)
        # Without a checkpoint, --resume would ignore the config's load_from.
        resumed = job.has_checkpoint
        command = [sys.executable, str(self.script), job.variant.config, '--work-dir', str(job.folder)]
        command += ['--resume'] if resumed else []
        command += ['--data-root', self.data_root] if self.data_root else []
        command += ['--cfg-options', *job.options]
        path, start = Path(job.folder, 'train.log'), time.monotonic()
        with open(path, 'ab') as log:
            # The run inherits the open file and holds the lock until it ends.
            lock(log, f'{job.folder} is in use by another process')
            job.hash_file.write_text(job.variant.config_hash + '\n')
            with self.lock:
                if self.stopped:
                    raise RuntimeError('stopped')
                # An OMP_NUM_THREADS that is already set takes precedence.
                process = self.running[job] = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={'OMP_NUM_THREADS': str(max(1, usable_cores() // self.at_once)), **os.environ},
                )
            status = process.wait()
        seconds = time.monotonic() - start
        with self.lock:
            del self.running[job]
        if status:
            last_line = path.read_text(encoding='utf-8', errors='replace').strip().split('\n')[-1].lstrip()
            raise RuntimeError(f'{last_line or "no output"} (exit status {status}, {path})')
        path = Path(job.folder, REPORT_FILE)
        if not path.is_file():
            raise RuntimeError(f'{path} is missing: add AttributeReportHook and a test split to the config')
        report = AttributeReport.load(path)
        row = _make_row(job, report, _validation_accuracy(job.folder, report.config), seconds, resumed)
        with self.lock:
            _append_row(self.results, row)
        return row


def _logged_rest(path: Path) -> Optional[float]:
    """The remaining seconds of training according to the last ETA in a run's log; None if the log has no ETA."""
    if not path.is_file():
        return None
    found = re.findall(
        r'Epoch\(train\).* eta: (?:(\d+) days?, )?(\d+):(\d+):(\d+)',
        path.read_text(encoding='utf-8', errors='replace'),
    )
    if not found:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found[-1])
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _validation_accuracy(folder: Path, config: Optional[dict]) -> Optional[float]:
    """The mean accuracy on the validation split after the epoch that was tested; None if it is not known."""
    log = read_log(folder)
    if not log or 'mean_accuracy' not in log.val:
        return None
    numbers, accuracy = log.val['mean_accuracy']
    hooks = (config or {}).get('default_hooks') or {}
    key = (hooks.get('checkpoint') or {}).get('save_best')
    # Without a best checkpoint the last epoch is tested.
    if not key:
        return float(accuracy[-1])
    # Its name ends with its epoch or iteration.
    unit = 'epoch' if log.unit == 'epoch' else 'iter'
    tested = re.search(rf'_{unit}_(\d+)\.pth$', find_best(folder) or '')
    found = accuracy[numbers == int(tested[1])] if tested else []
    if len(found):
        return float(found[0])
    # It may be in another folder. With several metrics the first one decides.
    key = (key if isinstance(key, str) else key[0]).rpartition('/')[2]
    key = 'mean_accuracy' if key == 'auto' else key
    return float(accuracy[log.val[key][1].argmax()]) if key in log.val else None
