import subprocess
import sys

import pytest

# Page faults of five rounds of taking and freeing 256 MB, once the C library has settled.
SCRIPT = """
import resource, torch
from imcnn_plugin.engine.malloc_tuning import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.ones(64 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

for keep in {settings}:
    if keep is not None and not keep_freed_memory(keep):
        raise SystemExit('not glibc')
    faults()
    print(faults())
"""


def count_faults(*settings):
    process = subprocess.run([sys.executable, '-c', SCRIPT.format(settings=settings)], capture_output=True, text=True)
    if 'not glibc' in process.stderr:
        pytest.skip('the C library is not glibc')
    return [int(line) for line in process.stdout.split()]


def test_memory_is_taken_from_the_system_once():
    without, kept = count_faults(None, True)
    # A page is 4 KiB at least or, with huge pages, 2 MiB at most.
    assert kept < 100 < without
