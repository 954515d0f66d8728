"""A run of mmengine's own parts: ``stock_run.py WORK_DIR RESULT [MODULE]``, with MODULE imported before all else.

It resumes WORK_DIR's first epoch, which it trains if there is none, and writes what it found and trained to RESULT.
"""

import json
import os
import sys
import warnings
from importlib import import_module
from pathlib import Path

# ruff: noqa: E402
for name in sys.argv[3:]:
    import_module(name)

import matplotlib  # noqa: F401
import mmpretrain  # noqa: F401
import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner


class Points(BaseDataset):
    # Of such kinds are those of mmpose's and mmseg's datasets.
    METAINFO = dict(
        sigma=np.float32(0.5),
        palette=np.array([[128, 64, 128], [244, 35, 232]], np.uint8),
        no_joints=np.zeros((0, 2), np.float32),
        flags=np.array([True, False]),
        nothing=b'',
        something=b'\x00\xff',
    )

    def load_data_list(self):
        return [dict(inputs=torch.full((3,), number / 8)) for number in range(8)]


class Line(BaseModel):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(3, 1)

    def forward(self, inputs, sample_idx, mode):
        return dict(loss=self.fc(torch.stack(inputs)).square().mean())


class Foreign:
    """In the checkpoints of a project, and in no list of safe globals."""


def run(work_dir, epochs, **kwargs):
    runner = Runner(
        Line(),
        work_dir,
        train_dataloader=dict(
            dataset=Points(), batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True)
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
        randomness=dict(seed=0),
        experiment_name=f'{epochs}_epochs',
        **kwargs,
    )
    runner.train()
    return runner


def main():
    work_dir, result = map(Path, sys.argv[1:3])
    found = dict(
        filters=[str(item) for item in warnings.filters],
        loaders={key: f'{loader.__module__}.{loader.__name__}' for key, loader in CheckpointLoader._schemes.items()},
    )
    first = work_dir / 'epoch_1.pth'
    if not first.is_file():
        run(work_dir, 1)
    runner = run(work_dir, 2, load_from=str(first), resume=True)
    found['weights'] = [value.tolist() for value in runner.model.state_dict().values()]
    found['losses'] = runner.message_hub.get_scalar('train/loss').data[0].tolist()
    meta = CheckpointLoader.load_checkpoint(str(first))['meta']['dataset_meta']
    found['meta'] = {key: f'{type(value)} {value!r}' for key, value in meta.items()}
    foreign = work_dir / 'foreign.pth'
    torch.save(dict(state_dict={}, meta=dict(foreign=Foreign())), foreign)
    os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] = '1'
    for load in (CheckpointLoader.load_checkpoint, lambda path: torch.load(path, weights_only=False)):
        assert isinstance(load(str(foreign))['meta']['foreign'], Foreign)
    result.write_text(json.dumps(found))


if __name__ == '__main__':
    main()
