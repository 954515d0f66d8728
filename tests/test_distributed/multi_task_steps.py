"""One of two processes that train a MultiTaskHead, the second without images of our task.

Usage: multi_task_steps.py RANK FOLDER.
"""

import sys
from pathlib import Path

import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample, MultiTaskDataSample

from imcnn_plugin.engine import shutdown_distributed

MODEL = dict(
    type='ImageClassifier',
    data_preprocessor=dict(type='FacePreprocessor'),
    backbone=dict(type='ResNet', depth=18, stem_channels=16, base_channels=2, norm_cfg=dict(type='GN', num_groups=1)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='MultiTaskHead',
        task_heads=dict(
            face=dict(
                type='GroupedMultiLabelHead',
                classes=['a', 'b', 'c'],
                groups=[dict(name='all', labels=['a', 'b', 'c'])],
                in_channels=16,
            ),
            kind=dict(type='LinearClsHead', num_classes=2, in_channels=16, loss=dict(type='CrossEntropyLoss')),
        ),
    ),
)


def main():
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(MODEL)
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    wrapped = MMDistributedDataParallel(model, device_ids=None, broadcast_buffers=False, find_unused_parameters=True)
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    torch.manual_seed(rank)
    losses = []
    for _ in range(3):
        samples = [MultiTaskDataSample() for _ in range(4)]
        for number, sample in enumerate(samples):
            sample.set_field(DataSample().set_gt_label(number % 2), 'kind')
            if rank == 0:
                sample.set_field(DataSample().set_gt_score(torch.tensor([1, 0, -1])), 'face')
        images = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8)
        losses.append(wrapped.train_step(dict(inputs=images, data_samples=samples), optimizer))
    torch.save(dict(losses=losses, state=model.state_dict()), folder / f'{rank}.pth')
    shutdown_distributed()


if __name__ == '__main__':
    main()
