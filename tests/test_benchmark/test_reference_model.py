import pytest
import torch
from benchlib.network import Network, count_weights
from benchlib.reference_model import copy_weights
from mmpretrain.structures import DataSample


def make_pair(network):
    """An IMCNN and the reference network of the same weights, which differ between all groups and channels."""
    torch.manual_seed(0)
    ours, reference = network.build(), network.build_reference()
    for tensor in ours.state_dict().values():
        if tensor.dim() == 1:
            tensor.uniform_(0.5, 1.5)
    copy_weights(ours, reference)
    return ours, reference


def batch(network, num=6):
    torch.manual_seed(1)
    images = torch.randint(0, 256, (num, 3, network.size, network.size), dtype=torch.uint8)
    scores, identity = torch.randint(0, 2, (num, 40)), torch.randint(0, network.num_identities, (num,))
    stacked = DataSample()
    stacked.gt_score, stacked.gt_identity = scores, identity
    samples = []
    for score, number in zip(scores, identity.tolist()):
        samples.append(DataSample().set_gt_score(score))
        samples[-1].gt_identity = number
    return images, stacked, samples


@pytest.mark.parametrize('size', [32, 36, 72])
def test_the_network_equals_the_reference(size):
    """In logits, losses and all gradients, which are compared as the weights after a step."""
    network = Network(width=1 / 16, size=size, num_identities=12)
    ours, reference = make_pair(network)
    assert count_weights(ours) == count_weights(reference)
    images, stacked, samples = batch(network)
    x = ours.data_preprocessor(dict(inputs=images, data_samples=stacked), True)['inputs']
    y = reference.data_preprocessor(dict(inputs=images, data_samples=samples), True)['inputs']
    assert torch.equal(x, y)

    with torch.inference_mode():
        torch.testing.assert_close(ours.eval()(x), reference.eval()(x), rtol=1e-4, atol=1e-5)
    losses = [ours.train().loss(x, stacked), reference.train().loss(x, samples)]
    torch.testing.assert_close(*losses, rtol=1e-5, atol=1e-5)
    for model, loss in zip((ours, reference), losses):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        sum(loss.values()).backward()
        optimizer.step()
    trained = network.build_reference()
    copy_weights(ours, trained)
    torch.testing.assert_close(trained.state_dict(), reference.state_dict(), rtol=1e-3, atol=1e-4)


def test_without_identities_neither_has_an_identity_branch():
    ours, reference = make_pair(Network(width=1 / 16, size=32, num_identities=0))
    assert ours.head.id_head is None and not hasattr(reference.head, 'identities')
    assert count_weights(ours) == count_weights(reference)
