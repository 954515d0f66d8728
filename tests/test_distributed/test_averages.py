"""Two processes validate and save the same averaged batch normalization statistics."""

import subprocess
import sys
from pathlib import Path

import torch


def test_what_is_saved_was_validated_by_all(tmp_path):
    script = Path(__file__).with_name('one_average.py')
    processes = [
        subprocess.Popen([sys.executable, script, str(rank), tmp_path / 'store', tmp_path]) for rank in (0, 1)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    first, second = (torch.load(tmp_path / f'{rank}.pth') for rank in (0, 1))
    assert first == second
    for validated, saved in first:
        assert validated == saved != 0
