"""In a MultiTaskHead a process may have no image of our task in a step; the others do not wait for it."""

from pathlib import Path

import torch
from commands import start


def test_a_process_without_images_of_the_task_trains_on(tmp_path):
    script = Path(__file__).with_name('multi_task_steps.py')
    for process in [start(script, rank, tmp_path) for rank in range(2)]:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    first, second = (torch.load(tmp_path / f'{rank}.pth', weights_only=True) for rank in range(2))
    assert [losses['face_mask_size'] for losses in first['losses']] == [4] * 3
    assert [losses['face_loss'] for losses in second['losses']] == [0] * 3
    assert first['losses'][2]['face_loss'] < first['losses'][0]['face_loss']
    assert all(torch.equal(value, second['state'][name]) for name, value in first['state'].items())
