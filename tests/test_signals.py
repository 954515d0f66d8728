"""Processes that work for others, and signals to them; each test has real ones."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from torch.utils.data import DataLoader

from imcnn_plugin.signals import let_workers_follow

# Processes that work for this one, whose numbers it prints: a forked one of a data loader, which waits to hand over a
# batch that does not fit into a pipe; a forked one of a pool, as for MATLAB files; two spawned ones of a pool.
STARTS = dict(
    loader="""
import torch
from torch.utils.data import DataLoader
from imcnn_plugin.signals import let_workers_follow

class Large(torch.utils.data.Dataset):
    def __len__(self):
        return 1000

    def __getitem__(self, index):
        return index, 100000 * 'a'

loader = let_workers_follow(DataLoader(Large(), num_workers=1, prefetch_factor=4))
batches = iter(loader)
next(batches)
""",
    forked="""
import os
from concurrent.futures import ProcessPoolExecutor
from imcnn_plugin.signals import follow_parent, worker_context

pool = ProcessPoolExecutor(1, worker_context('fork'), follow_parent)
pool.submit(os.getpid).result()
""",
    spawned="""
from imcnn_plugin.parallel import map_in_processes

results = map_in_processes(abs, range(1000), 2)
next(results)
""",
)
END = """
import time
print(*[process.pid for process in multiprocessing.active_children()], flush=True)
time.sleep(1000)
"""


def is_running(number):
    try:
        return Path(f'/proc/{number}/stat').read_text().split()[2] != 'Z'
    except OSError:
        return False


def wait_until_gone(numbers):
    deadline = time.monotonic() + 60
    while left := [number for number in numbers if is_running(number)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


@pytest.fixture(params=STARTS)
def family(request, tmp_path):
    """A process, and the numbers of those that work for it."""
    script = tmp_path / 'parent.py'
    text = (STARTS[request.param] + END).replace('\n', '\n    ')
    script.write_text(f"import multiprocessing\n\nif __name__ == '__main__':\n    {text}\n")
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        yield parent, [int(number) for number in parent.stdout.readline().split()]
        parent.kill()


def test_no_process_outlives_the_one_that_it_works_for(family):
    parent, children = family
    # Of two, one may still be starting.
    if len(children) == 1:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(children[0], number)
        time.sleep(1.5)
    assert children and all(map(is_running, children))
    parent.kill()
    wait_until_gone(children)


def test_a_signal_of_others_ends_no_worker():
    # Workers of other tests may still be there.
    others = {*multiprocessing.active_children()}
    batches = iter(let_workers_follow(DataLoader(range(100), num_workers=1)))
    assert next(batches) == 0
    [worker] = {*multiprocessing.active_children()} - others
    subprocess.run(['kill', '-TERM', str(worker.pid)], check=True)
    assert len([*batches]) == 99


LEFT = """
import signal
import threading

from torch.utils.data import DataLoader

from imcnn_plugin.signals import let_workers_follow


def start_thread(number):
    # Like those of libraries, it takes signals instead of the main thread.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=threading.Event().wait, daemon=True).start()


if __name__ == '__main__':
    loader = DataLoader(range(100), num_workers=4, worker_init_fn=start_thread, multiprocessing_context=METHOD)
    batches = iter(let_workers_follow(loader))
    next(batches)
    # As what an exception refers to when a program ends.
    threading.batches = batches
"""


@pytest.mark.parametrize('method', [None, 'spawn'])
def test_a_process_ends_with_workers_that_nobody_has_stopped(method, tmp_path):
    """multiprocessing terminates them, and waits without end for each."""
    script = tmp_path / 'left.py'
    script.write_text(LEFT.replace('METHOD', repr(method)))
    assert subprocess.run([sys.executable, script], timeout=120).returncode == 0
