"""Several processes score an evaluation as one does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from imcnn_plugin.evaluation import PerAttributeAccuracy


def draw_image(rows, draw):
    shape = (rows, 3) if rows else (3,)
    return dict(
        pred_score=torch.rand(shape, generator=draw), gt_score=torch.randint(-1, 2, shape, generator=draw).float()
    )


@pytest.mark.parametrize(
    'world, rows, stacked, round_up, device',
    [
        # Images with one to four predictions; the padding repeats the first one.
        (2, (2, 1, 4, 3, 1, 2, 3), False, True, 'gpu'),
        # Two processes with an image, one without any.
        (3, (3, 2), False, False, 'cpu'),
        (2, (0,) * 5, True, True, 'cpu'),
    ],
)
def test_every_prediction_of_every_image_counts_once(world, rows, stacked, round_up, device, tmp_path):
    draw = torch.Generator().manual_seed(0)
    images = [draw_image(number, draw) for number in rows]
    torch.save(dict(images=images, stacked=stacked, round_up=round_up), tmp_path / 'job.pth')
    processes = [
        subprocess.Popen(
            [sys.executable, Path(__file__).with_name('one_share.py'), str(rank), str(world), tmp_path, device],
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
        )
        for rank in range(world)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0] * world
    metric = PerAttributeAccuracy()
    metric.dataset_meta = dict(classes=list('abc'))
    metric.process({}, images)
    expected = metric.evaluate(len(images))
    assert expected['attr/mean_accuracy'] > 0
    found = torch.load(tmp_path / 'found.pth', weights_only=False)
    assert found == dict(expected, images=len(images))
