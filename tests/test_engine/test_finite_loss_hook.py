from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook

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


@pytest.mark.parametrize('step', [2, 9])
def test_ends_the_run_and_names_the_step_and_its_images(faces, tmp_path, step):
    cfg = load_config(CONFIGS / 'imcnn_demo.py', data_root=str(faces), work_dir=str(tmp_path))
    cfg.model.head.id_head.num_identities = 14
    cfg.train_dataloader.update(batch_size=8, num_workers=0, persistent_workers=False)
    cfg.val_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    runner = build_runner(cfg)
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
    hook.steps = [(3, 2, torch.tensor(float('nan')))]
    loader = SimpleNamespace(sampler=InfiniteSampler([0, 1]), batch_sampler=SimpleNamespace(batch_size=1))
    runner = SimpleNamespace(train_dataloader=loader, epoch=0, message_hub=SimpleNamespace(runtime_info={}))
    with pytest.raises(TrainingError, match='the loss is nan at iteration 3, epoch 1, of images whose names'):
        hook._check(runner)
