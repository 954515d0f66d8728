"""What a config changes takes effect when a run is resumed, and what it leaves alone goes on."""

from pathlib import Path

import pytest
from mmengine.hooks import Hook

from imcnn_plugin.engine import build_runner, load_config


class Rates(Hook):
    """The learning rate of each step."""

    def __init__(self):
        self.found = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.found[runner.iter] = runner.optim_wrapper.param_groups[0]['lr']


def train(faces, folder, epochs, checkpoint=None, options=(), loop='ResumableTrainLoop'):
    cfg = load_config(Path(__file__).parents[2] / 'configs' / 'imcnn_demo.py', str(faces), str(folder))
    cfg.model.backbone.width = 1 / 16
    cfg.model.head.attr_head.update(in_channels=192, hidden_dims=(8,))
    cfg.model.head.id_head = cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    cfg.train_dataloader.update(batch_size=16, num_workers=0, persistent_workers=False)
    cfg.default_hooks.checkpoint.update(save_best=None, max_keep_ckpts=-1)
    cfg.train_cfg = dict(type=loop, max_epochs=epochs)
    cfg.load_from, cfg.resume = checkpoint and str(checkpoint), bool(checkpoint)
    cfg.merge_from_dict(dict(options))
    runner = build_runner(cfg, strict=bool(checkpoint))
    rates, said = Rates(), []
    runner.register_hook(rates)
    runner.logger.warning = said.append
    runner.train()
    return runner, rates.found, [line for line in said if 'checkpoint' in line]


@pytest.fixture(scope='module')
def whole(faces, tmp_path_factory):
    """Two epochs of four steps, their learning rates, and those of four epochs."""
    folder = tmp_path_factory.mktemp('two')
    _, two, _ = train(faces, folder, 2)
    _, four, _ = train(faces, tmp_path_factory.mktemp('four'), 4)
    assert len(two) == 8 and len(four) == 16 and four[9] > 0.003
    return folder, two, four


def test_more_epochs_go_on_with_their_schedule(whole, faces, tmp_path):
    folder, _, four = whole
    _, rates, [said] = train(faces, tmp_path, 4, folder / 'epoch_2.pth')
    assert rates == {step: four[step] for step in range(8, 16)}
    assert 'takes effect from here: CosineAnnealingLR.T_max 8 -> 16, CosineAnnealingLR.end 8 -> 16, lr ' in said


def test_what_did_not_change_is_not_mentioned(whole, faces, tmp_path):
    folder, two, _ = whole
    _, rates, said = train(faces, tmp_path, 2, folder / 'epoch_1.pth')
    assert rates == {step: two[step] for step in range(4, 8)} and not said


def test_milestones_rate_and_decay_of_the_config(whole, faces, tmp_path):
    folder, _, _ = whole
    options = {'optim_wrapper.optimizer.lr': 0.5, 'optim_wrapper.optimizer.weight_decay': 0.25}
    schedule = dict(type='MultiStepLR', by_epoch=True, milestones=[1, 3], gamma=0.1)
    runner, rates, [said] = train(faces, tmp_path, 4, folder / 'epoch_2.pth', {**options, 'param_scheduler': schedule})
    assert [*rates.values()] == pytest.approx([0.05] * 4 + [0.005] * 4)
    assert runner.optim_wrapper.param_groups[0]['weight_decay'] == 0.25
    assert 'weight_decay 0.0005 -> 0.25' in said and 'lr ' in said
    _, rates, [said] = train(faces, tmp_path, 5, tmp_path / 'epoch_4.pth', {**options, 'param_scheduler': None})
    assert [*rates.values()] == [0.5] * 4 and 'lr 0.005' in said


def test_another_batch_size_ends_at_the_last_iteration(whole, faces, tmp_path):
    folder, _, _ = whole
    runner, rates, _ = train(faces, tmp_path, 4, folder / 'epoch_2.pth', {'train_dataloader.batch_size': 8})
    assert (runner.iter, runner.max_iters, runner.message_hub.get_info('max_iters')) == (22, 22, 22)
    # Halfway through a cosine of 28 steps, and nearly 0 at its end.
    assert rates[8] == pytest.approx(0.005) and 0 < rates[21] < 1e-4


@pytest.mark.parametrize('batch_size, steps', [(16, 4), (8, 7), (32, 2)])
def test_a_file_of_mmengines_own_loop(faces, tmp_path, batch_size, steps):
    train(faces, tmp_path / 'stock', 2, loop='EpochBasedTrainLoop')
    options = {'train_dataloader.batch_size': batch_size}
    runner, rates, _ = train(faces, tmp_path / 'own', 3, tmp_path / 'stock' / 'epoch_1.pth', options)
    assert sorted(rates) == [*range(4, 4 + 2 * steps)]
    assert runner.epoch == 3 and runner.iter == runner.max_iters == 4 + 2 * steps
