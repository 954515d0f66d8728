"""A file that is no checkpoint but a program: the command lines refuse it and do not run it."""

import os
import subprocess
import sys
from pathlib import Path

import mmpretrain
import pytest
import torch

MMPRETRAIN = Path(mmpretrain.__file__).parent / '.mim'
REPOSITORY = Path(__file__).resolve().parents[2]


class Payload:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize(
    'command',
    [
        ['tools/test.py', 'configs/imcnn_demo.py', '{file}'],
        ['tools/train.py', 'configs/imcnn_demo.py', '--resume', '{file}'],
        [MMPRETRAIN / 'tools' / 'test.py', 'configs/imcnn_demo.py', '{file}'],
        [MMPRETRAIN / 'tools' / 'train.py', 'configs/imcnn_demo.py', '--resume', '{file}'],
    ],
)
def test_refused_and_not_run(faces, tmp_path, command):
    ran = tmp_path / 'ran'
    file = tmp_path / 'work' / 'epoch_1.pth'
    file.parent.mkdir()
    torch.save(dict(meta=Payload(f'touch {ran}'), state_dict=dict()), file)
    options = ['--work-dir', file.parent, '--cfg-options', 'model.backbone.width=0.0625',
               'model.head.attr_head.in_channels=192', 'model.head.id_head.in_channels=192',
               'model.head.id_head.num_identities=14']  # fmt: skip
    process = subprocess.run(
        [sys.executable, *(str(part).format(file=file) for part in command), *map(str, options)],
        cwd=REPOSITORY,
        env=dict(os.environ, CUDA_VISIBLE_DEVICES='', CELEBA_ROOT=str(faces)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.returncode != 0
    last = process.stdout.rstrip().splitlines()[-1]
    assert last.endswith(f'{file} holds more than weights, numbers and histories: do not trust it'), last
    assert not ran.exists()
