"""The grouped head in a model of your own, with mmengine alone around it: no config, no ImageClassifier.

python draw_shapes.py --out shapes
python bare_mmengine.py --data-root shapes
"""

import argparse

from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from imcnn_plugin.datasets import AttributeCSV
from imcnn_plugin.engine import AttributeReportHook
from imcnn_plugin.evaluation import PerAttributeAccuracy
from imcnn_plugin.models import FacePreprocessor, GroupedMultiLabelHead

GROUPS = [
    dict(name='form', labels=['tilted', 'hollow']),
    dict(name='color', labels=['red', 'blue']),
    dict(name='rest', labels=['striped', 'large']),
]


class ShapeNet(BaseModel):
    """Four convolutions, the mean over positions, and the head."""

    def __init__(self, classes):
        super().__init__(data_preprocessor=FacePreprocessor())
        channels = (3, 16, 32, 64, 64)
        layers = []
        for before, after in zip(channels, channels[1:]):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        self.backbone = nn.Sequential(*layers)
        self.head = GroupedMultiLabelHead(classes, GROUPS, in_channels=channels[-1], hidden_dims=(32,))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        feats = self.backbone(inputs)
        if mode == 'loss':
            return self.head.loss(feats, data_samples)
        if mode == 'predict':
            return self.head.predict(feats, data_samples)
        return self.head(feats)


def loader(data_root, split):
    pipeline = [dict(type='LoadFaceFromFile'), dict(type='PackInputs')]
    dataset = AttributeCSV('labels.csv', data_root, 'pictures', split_column='part', split=split, pipeline=pipeline)
    sampler = dict(type='DefaultSampler', shuffle=split == 'train')
    return dict(batch_size=32, dataset=dataset, sampler=sampler, collate_fn=dict(type='default_collate'))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data-root', default='shapes', help='folder with labels.csv')
    parser.add_argument('--work-dir', default='work_dirs/bare_mmengine', help='where logs and checkpoints go')
    parser.add_argument('--epochs', type=int, default=5)
    args = parser.parse_args()
    train = loader(args.data_root, 'train')
    runner = Runner(
        model=ShapeNet(train['dataset'].metainfo['classes']),
        work_dir=args.work_dir,
        train_dataloader=train,
        train_cfg=dict(by_epoch=True, max_epochs=args.epochs),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=2e-3)),
        val_dataloader=loader(args.data_root, 'test'),
        val_cfg=dict(),
        val_evaluator=[PerAttributeAccuracy(groups=GROUPS)],
        # The table at the end.
        custom_hooks=[AttributeReportHook()],
        randomness=dict(seed=0),
    )
    runner.train()


if __name__ == '__main__':
    main()
