import pytest
import torch
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner import Runner


class Toy(BaseModel):
    """A model of one weight."""

    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(1, 1)

    def forward(self, x, mode='tensor'):
        y = self.fc(x)
        return dict(loss=y.square().mean()) if mode == 'loss' else [y]


@pytest.fixture
def toy_run(tmp_path):
    """A function that trains a toy for two epochs of three steps on CPUs, without a config, and returns its runner."""

    def run(step=Toy.train_step, metric=(), **options):
        loader = dict(batch_size=1, dataset=[torch.ones(1)] * 3, sampler=dict(type='DefaultSampler', shuffle=False))
        if metric:
            options.update(val_dataloader=loader, val_cfg=dict(), val_evaluator=metric)
        runner = Runner(
            model=type('Own', (Toy,), dict(train_step=step))(),
            work_dir=str(tmp_path / 'run'),
            train_dataloader=loader,
            train_cfg=dict(by_epoch=True, max_epochs=2),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            experiment_name=tmp_path.name,
            **options,
        )
        runner.train()
        return runner

    # What its runner leaves would be the scope of later tests.
    with DefaultScope.overwrite_default_scope('mmengine'):
        yield run
