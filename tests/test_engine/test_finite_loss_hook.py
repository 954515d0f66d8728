from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook
from torch.utils.data import DataLoader

from imcnn_plugin.engine import FiniteLossHook, build_runner, load_config
from imcnn_plugin.errors import TrainingError

CONFIGS = Path(__file__).parents[2] / 'configs'


class Poison(Hook):
    """Makes the loss of one step infinite, and remembers the images' identities."""

    def __init__(self, step):
        self.step = step

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter + 1 == self.step:
            self.identity = [sample.identity for sample in data_batch['data_samples']]
            with torch.no_grad():
                runner.model.head.attr_head.banks[0].fc.bias.fill_(float('nan'))


class Overflow(Hook):
    """Makes an infinite gradient of a step whose loss is finite."""

    def __init__(self, step):
        self.step = step

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter + 1 == self.step:
            bias = runner.model.head.attr_head.banks[0].fc.bias
            self.handle = bias.register_hook(lambda gradient: gradient * float('inf'))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.step:
            self.handle.remove()


def small_runner(faces, work_dir, clip=True):
    """Seven steps an epoch."""
    cfg = load_config(CONFIGS / 'imcnn_demo.py', data_root=str(faces), work_dir=str(work_dir))
    cfg.model.backbone.width = 1 / 16
    cfg.model.head.attr_head.update(in_channels=192, hidden_dims=(8, 8))
    cfg.model.head.id_head.update(in_channels=192, embedding_dims=8, num_identities=14)
    cfg.train_dataloader.update(batch_size=8, num_workers=0, persistent_workers=False)
    cfg.val_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    if not clip:
        cfg.optim_wrapper.clip_grad = None
    return build_runner(cfg)


@pytest.mark.parametrize('clip', [True, False])
@pytest.mark.parametrize('step', [2, 7])
def test_an_overflow_is_found_where_it_happens_and_never_saved(faces, tmp_path, step, clip):
    """Step 7 ends the epoch: its weights would be saved, validated and the best, and step 8 be blamed."""
    runner = small_runner(faces, tmp_path, clip)
    runner.register_hook(Overflow(step))
    with pytest.raises(TrainingError) as error:
        runner.train()
    message = str(error.value)
    if clip:
        expected = f'the norm of the gradient is inf at iteration {step}, epoch 1, of the images '
    elif step == 7:
        expected = 'banks.0.fc.bias are not finite after the step at iteration 7, epoch 1, of the images '
    else:
        # Either this step or the one before it, whose gradient is not known.
        expected = 'the loss is nan at iteration 3, epoch 1, of the images '
        assert ', unless the step before, of the images ' in message
    assert expected in message and message.endswith('before it is None')
    assert not [*tmp_path.glob('*.pth')]


@pytest.mark.parametrize('step', [2, 9])
def test_ends_the_run_and_names_the_step_and_its_images(faces, tmp_path, step):
    runner = small_runner(faces, tmp_path)
    poison = Poison(step)
    runner.register_hook(poison)
    with pytest.raises(TrainingError) as error:
        runner.train()
    message = str(error.value)
    assert f'the loss is nan at iteration {step}, epoch {(step + 6) // 7}, of the images' in message
    assert 'and 3 more' in message
    records = runner.train_dataloader.dataset.data_list
    identity = {Path(record['img_path']).name: record['identity'] for record in records}
    found = [Path(part).name for part in message.split('images ')[1].split(' and 3 more')[0].split(', ')]
    assert [identity[name] for name in found] == poison.identity[:5]
    last = 'None' if step < 7 else str(tmp_path / 'epoch_1.pth')
    assert message.endswith(f'before it is {last}')
    # Nothing that is not finite was saved.
    for path in tmp_path.glob('*.pth'):
        assert all(value.isfinite().all() for value in torch.load(path)['state_dict'].values())


def test_a_sampler_that_knows_no_epochs_hides_no_loss():
    hook = FiniteLossHook()
    loader = DataLoader([0, 1], sampler=InfiniteSampler([0, 1]))
    hub = SimpleNamespace(runtime_info={})
    runner = SimpleNamespace(train_dataloader=loader, epoch=0, iter=2, hooks=[], message_hub=hub, optim_wrapper=None)
    with pytest.raises(TrainingError, match='the loss is nan at iteration 3, epoch 1, of images whose names'):
        hook.after_train_iter(runner, 2, outputs=dict(loss=torch.tensor(float('nan'))))


@pytest.mark.parametrize(
    'outputs',
    [dict(loss=float('nan')), dict(loss_a=1.0, loss_b=float('inf')), dict(loss_a=torch.tensor(float('nan')))],
)
def test_losses_of_a_models_own_train_step_are_checked(toy_run, outputs):
    hooks = dict(finite_loss=dict(type='mmpretrain.FiniteLossHook'))
    with pytest.raises(TrainingError, match='the loss is (nan|inf) at iteration 1, epoch 1, of the images number 0'):
        toy_run(lambda self, data, optim_wrapper: outputs, default_hooks=hooks)
