import os
import subprocess
import sys

import pytest

from imcnn_plugin.errors import ConfigError, DataError
from imcnn_plugin.parallel import WorkerPool, default_jobs, map_in_processes, usable_cores


def test_no_processes_are_too_few():
    with pytest.raises(ConfigError, match='the number of processes is 0: give at least 1'):
        list(map_in_processes(abs, [1], 0))


@pytest.mark.parametrize('jobs', [1, 2])
def test_results_are_in_the_order_of_the_tasks(jobs):
    taken = []
    results = map_in_processes(abs, map(lambda task: taken.append(task) or task, range(-999, 1)), jobs)
    assert next(results) == 999
    # A few are taken ahead, not all.
    assert len(taken) <= (1 if jobs == 1 else 40)
    assert list(results) == list(range(998, -1, -1))


def test_a_pool_serves_several_calls_at_once():
    pool = WorkerPool(abs, 2)
    first, second = pool.map([-1, -2]), pool.map([-3])
    assert [next(first), next(second), next(first)] == [1, 3, 2]
    pool.close()


def test_a_killed_process_is_an_error():
    with pytest.raises(DataError, match='a worker process was killed, perhaps because memory ran out'):
        list(map_in_processes(os._exit, [1, 1], 2))


def test_every_process_has_enough_to_do():
    assert default_jobs(0, 100) == default_jobs(199, 100) == 1
    assert default_jobs(10**9, 1) == usable_cores() > 0


def test_a_script_without_a_main_guard_is_told_so(tmp_path):
    script = tmp_path / 'script.py'
    script.write_text(
        'from imcnn_plugin.parallel import map_in_processes\nprint(list(map_in_processes(abs, [-1], 2)))\n'
    )
    found = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert found.returncode == 1
    assert "put the calls that start processes under if __name__ == '__main__':" in found.stderr
    assert 'DataError: a worker process was killed' in found.stderr
