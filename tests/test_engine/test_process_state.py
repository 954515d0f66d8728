import torch
from torch import nn

from imcnn_plugin.engine.process_state import _gather_state, _restore_state


def test_a_checkpoint_between_whole_steps_has_no_more_than_before():
    assert _gather_state(nn.Linear(2, 1)) == {}


def test_another_number_of_processes_gets_the_mean():
    """Averaged over the processes, as the next step does, it is what those of the checkpoint would have had."""
    model = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    gradients = {
        '0.weight': [torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 6.0]])],
        '0.bias': [None, torch.tensor([2.0])],
        '1.bias': [None, None],
    }
    buffers = {'1.running_mean': [torch.tensor([1.0]), torch.tensor([2.0])]}
    checkpoint = dict(state_dict=model.state_dict(), process_state=dict(gradients=gradients, buffers=buffers))
    _restore_state(model, checkpoint)
    assert model[0].weight.grad.tolist() == [[2.0, 4.0]] and model[0].bias.grad.tolist() == [1.0]
    assert model[1].weight.grad is None
    assert checkpoint['state_dict']['1.running_mean'] == 1.5 and 'process_state' not in checkpoint
