"""The benchmark for a GPU, on a CPU: every part runs, and what is wrong or fails is said."""

import json
import runpy
import sys
from pathlib import Path

import pytest
from benchlib import gpu_checks
from benchlib.gpu_speed import plan_training
from benchlib.training import GRAPHS, ON_GPU

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'benchmark' / 'gpu.py'


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Runs the tool; returns the exit status, the figures and what it printed."""

    def run(*arguments):
        out = tmp_path / 'gpu.json'
        monkeypatch.setattr(sys, 'argv', ['gpu.py', '--tiny', '--out', str(out), *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(TOOL), run_name='__main__')
        return ended.value.code, json.loads(out.read_text()), capsys.readouterr().out

    return run


def test_every_part_runs(run):
    status, found, printed = run()
    assert status == 0, printed
    assert printed.splitlines()[-1].endswith('0 wrong')
    parts = 'losses packed waits inferencer predictions resume compile processes roofline training loop'.split() + [
        'epoch end',
        'prediction speed',
    ]
    assert found['seconds'].keys() == set(parts) and 'left out' not in found
    checks = [row['ok'] for part in parts for row in found[part].values() if 'ok' in row]
    assert len(checks) > 20 and all(checks)
    for row in found['training'].values():
        assert row['images_per_second'] > 0 and row['paper_minutes'] > 0
    assert found['resume']['as if it had not stopped']['stopped_at'] == 2


def test_what_is_wrong_is_named_and_the_next_part_runs(run, monkeypatch):
    monkeypatch.setattr(gpu_checks, 'LOSS_TOLERANCE', dict.fromkeys(gpu_checks.LOSS_TOLERANCE, -1.0))

    def fail(*arguments, **options):
        raise RuntimeError('CUDA error:\nan illegal memory access')

    monkeypatch.setattr(gpu_checks, 'PackedFaces', fail)
    status, found, printed = run('--only', 'losses', 'packed', 'roofline')
    assert status == 1 and not found['losses']['float32']['ok']
    assert found['packed']['failed']['error'] == 'RuntimeError: CUDA error: an illegal memory access'
    assert found['roofline']['rates']['bandwidth'] > 0
    wrong = printed.splitlines()[-5:]
    assert wrong[0].startswith('  losses: float32') and wrong[-1] == '  packed: failed'


def test_variants_of_a_gpu_are_planned_for_one(monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    plan = plan_training((64, 256))
    assert (ON_GPU, 64) in plan and plan[-1] == (GRAPHS, 256) and len(plan) == len(set(plan))
