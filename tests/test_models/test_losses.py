import math
import subprocess
import sys

import pytest
import torch
from sklearn.metrics import log_loss

from imcnn_plugin.models.losses import identity_loss, multi_label_loss


def test_attribute_loss_is_the_sum_over_attributes_of_mean_cross_entropies():
    torch.manual_seed(0)
    logits, target = torch.randn(50, 40), torch.randint(0, 2, (50, 40))
    expected = sum(log_loss(target[:, i], logits[:, i].double().sigmoid(), labels=[0, 1]) for i in range(40))
    assert multi_label_loss(logits, target).item() == pytest.approx(expected, rel=1e-5)
    assert multi_label_loss(torch.zeros(5, 40), target[:5]).item() == pytest.approx(40 * math.log(2), rel=1e-6)


def test_each_attribute_is_divided_by_its_own_number_of_known_labels():
    logits = torch.randn(4, 2)
    target = torch.tensor([[1, -1], [0, -1], [-1, 1], [1, -1]])
    known = [torch.tensor([0, 1, 3]), torch.tensor([2])]
    expected = sum(
        log_loss(target[rows, i], logits[rows, i].double().sigmoid(), labels=[0, 1]) for i, rows in enumerate(known)
    )
    assert multi_label_loss(logits, target).item() == pytest.approx(expected, rel=1e-5)


def test_identity_loss_is_the_mean_over_known_identities():
    torch.manual_seed(0)
    logits, identity = torch.randn(6, 9), torch.tensor([3, -1, 0, 8, -1, 3])
    known = identity >= 0
    expected = log_loss(identity[known], logits[known].double().softmax(1), labels=range(9))
    assert identity_loss(logits, identity).item() == pytest.approx(expected, rel=1e-5)


def test_unknown_labels_give_loss_0_with_finite_gradients():
    logits = torch.randn(4, 5, requires_grad=True)
    loss = multi_label_loss(logits, torch.full((4, 5), -1)) + identity_loss(logits, torch.full((4,), -1))
    loss.backward()
    assert loss.item() == 0 and logits.grad.eq(0).all()


ONE_RANK = """
import sys
import torch
from imcnn_plugin.engine import shutdown_distributed
from imcnn_plugin.models.losses import identity_loss, multi_label_loss

rank, folder = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
logits, target, identity = (tensor[:5] if rank == 0 else tensor[5:] for tensor in torch.load(f'{folder}/batch.pth'))
logits.requires_grad_()
(multi_label_loss(logits, target, sync=True) + identity_loss(logits, identity, sync=True)).backward()
torch.save(logits.grad, f'{folder}/{rank}.pth')
shutdown_distributed()
"""


def test_two_processes_compute_the_gradient_of_one(tmp_path):
    """With unequal batches, unknown entries, and one process without known identities."""
    torch.manual_seed(0)
    logits, target = torch.randn(8, 6, requires_grad=True), torch.randint(-1, 2, (8, 6))
    identity = torch.tensor([3, -1, 0, 5, 2, -1, -1, -1])
    (multi_label_loss(logits, target) + identity_loss(logits, identity)).backward()
    torch.save((logits.detach(), target, identity), tmp_path / 'batch.pth')
    command = [sys.executable, '-c', ONE_RANK]
    processes = [subprocess.Popen([*command, str(rank), str(tmp_path)]) for rank in (0, 1)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    # Gradients are averaged over processes.
    two = torch.cat([torch.load(tmp_path / f'{rank}.pth') for rank in (0, 1)]) / 2
    torch.testing.assert_close(two, logits.grad)
