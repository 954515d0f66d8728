"""Losses and gradients of several processes are those of one with the same global batch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

REPOSITORY = Path(__file__).resolve().parents[2]
MODEL = f"""
_base_ = '{REPOSITORY}/configs/_base_/models/imcnn_mini.py'
model = dict(
    data_preprocessor=dict(flip_prob=0.0, crop_size=None),
    backbone=dict(width=1 / 32),
    head=dict(
        attr_head=dict(in_channels=96, in_size=None, hidden_dims=(8, 8)),
        id_head=dict(num_identities=7, in_channels=96, in_size=None, embedding_dims=8),
        loss=dict(id_weight=0.5),
    ),
)
"""


def job(images, bf16=False):
    """A global batch whose last quarter is wholly unknown, with others unknown here and there."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(-1, 2, (images, 40), generator=draw).float()
    identity = torch.randint(-1, 7, (images,), generator=draw)
    labels[-(images // 4) :], identity[-(images // 4) :] = -1, -1
    # One that nobody knows.
    labels[:, 3] = -1
    return dict(images=torch.randn(images, 3, 32, 32, generator=draw), labels=labels, identity=identity, bf16=bf16)


def run(folder, world, job):
    torch.save(job, folder / 'job.pth')
    (folder / 'model.py').write_text(MODEL)
    script = Path(__file__).with_name('one_step.py')
    processes = [
        subprocess.Popen(
            [sys.executable, script, str(rank), str(world), folder], env={**os.environ, 'OMP_NUM_THREADS': '1'}
        )
        for rank in range(world)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0] * world
    return torch.load(folder / f'found_{world}.pth', weights_only=True)


@pytest.fixture(scope='module')
def one(tmp_path_factory):
    return run(tmp_path_factory.mktemp('one'), 1, job(10))


@pytest.mark.parametrize('world', [2, 4])
def test_several_processes_compute_what_one_does(world, one, tmp_path):
    """Shares of 5 and 5 images, or 3, 3, 2 and 2 of which the last knows nothing."""
    found = run(tmp_path, world, job(10))
    assert found['losses'].keys() == {'loss_attr', 'loss_id'} and found['losses']['loss_attr'] > 20
    for kind in ('losses', 'gradients'):
        for name, value in one[kind].items():
            error = (found[kind][name] - value).abs().max()
            # Losses are in single precision.
            assert error <= 1e-6 * value.abs().max(), name


def test_gradients_sent_in_bfloat16_are_near(one, tmp_path):
    found = run(tmp_path, 2, job(10, bf16=True))
    differ = False
    for name, value in one['gradients'].items():
        error = (found['gradients'][name] - value).abs().max()
        assert error <= 2**-7 * value.abs().max(), name
        differ |= bool(error > 0)
    assert differ
