import copy

import numpy as np
import torch
from benchlib import loop_cost
from mmengine.runner import Runner

BATCH, STEPS = 8, 2


def test_the_bare_step_equals_the_runner_s(packs, tmp_path):
    """From the same weights and the same batch, both arrive at the same weights."""
    loops = loop_cost.make_loops(packs[loop_cost.TINY.size], BATCH, STEPS, tmp_path)
    bare, runner = loops['bare PyTorch'], loops['ours']
    assert [type(loop) for loop in loops.values()] == [loop_cost.BareLoop, Runner, Runner]
    bare.model.load_state_dict(runner.model.state_dict())
    batch = next(iter(runner.train_dataloader))
    bare.images = batch['inputs'].permute(0, 2, 3, 1).numpy()
    bare.labels, bare.identity = (batch['data_samples'].get(key).numpy() for key in ('gt_score', 'gt_identity'))
    bare.batch_size = len(bare.images)
    before = copy.deepcopy(bare.model.state_dict())
    for _ in range(2):
        np.random.seed(0)
        bare.run_epoch()
        runner.model.train_step(batch, runner.optim_wrapper)
    torch.testing.assert_close(bare.model.state_dict(), runner.model.state_dict(), rtol=1e-4, atol=1e-6)
    changed = [not torch.equal(before[key], value) for key, value in bare.model.named_parameters()]
    assert all(changed)


def test_histories_of_a_later_step(packs, tmp_path):
    """The stock histories grow by an entry per step; ours are at most as long as what was logged."""
    loops = loop_cost.make_loops(packs[loop_cost.TINY.size], BATCH, STEPS, tmp_path)
    lengths = {}
    for name in ('ours', 'stock hooks'):
        runner = loops[name]
        runner.train_loop.run_epoch()
        loop_cost.skip_to(runner, 1000)
        assert runner.iter == 1000
        runner.train_loop.run_epoch()
        lengths[name] = {key: len(history.data[0]) for key, history in runner.message_hub.log_scalars.items()}
    assert {'train/loss', 'train/time', 'train/lr'} <= set(lengths['ours']) & set(lengths['stock hooks'])
    assert set(lengths['stock hooks'].values()) == {1000 + STEPS}
    assert max(lengths['ours'].values()) <= 1000 / STEPS + 1


def test_table_of_loops():
    row = dict(loop='ours', step=100000, median=0.004, beyond=0.0001, least_beyond=0.00005)
    assert loop_cost.loop_table([row])[1] == ['ours', '100,000', '4.00 ms', '0.10 ms', '0.05 ms']
