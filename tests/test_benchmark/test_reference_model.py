from pathlib import Path

import pytest
import torch
from benchlib.network import Network, build_model, count_weights
from benchlib.reference_model import copy_weights
from mmpretrain.structures import DataSample

from imcnn_plugin.engine import load_config

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'imcnn_celeba.py'


def make_pair(network):
    """A fused and an obvious network of the same weights, none of which is the same in two groups or channels."""
    torch.manual_seed(0)
    fused, obvious = build_model(network.change(load_config(CONFIG))), network.build_obvious()
    for tensor in fused.state_dict().values():
        if tensor.dim() == 1:
            tensor.uniform_(0.5, 1.5)
    copy_weights(fused, obvious)
    return fused, obvious


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
def test_the_fused_network_is_the_obvious_one(size):
    """Logits, losses, and each gradient, which are compared after a step as weights."""
    network = Network(width=1 / 16, size=size, num_identities=12)
    fused, obvious = make_pair(network)
    assert count_weights(fused) == count_weights(obvious)
    images, stacked, samples = batch(network)
    x = fused.data_preprocessor(dict(inputs=images, data_samples=stacked), True)['inputs']
    y = obvious.data_preprocessor(dict(inputs=images, data_samples=samples), True)['inputs']
    assert torch.equal(x, y)

    with torch.inference_mode():
        torch.testing.assert_close(fused.eval()(x), obvious.eval()(x), rtol=1e-4, atol=1e-5)
    losses = [fused.train().loss(x, stacked), obvious.train().loss(x, samples)]
    torch.testing.assert_close(*losses, rtol=1e-5, atol=1e-5)
    for model, loss in zip((fused, obvious), losses):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        sum(loss.values()).backward()
        optimizer.step()
    trained = network.build_obvious()
    copy_weights(fused, trained)
    torch.testing.assert_close(trained.state_dict(), obvious.state_dict(), rtol=1e-3, atol=1e-4)


def test_without_identities_both_have_no_such_branch():
    fused, obvious = make_pair(Network(width=1 / 16, size=32, num_identities=0))
    assert fused.head.id_head is None and not hasattr(obvious.head, 'identities')
    assert count_weights(fused) == count_weights(obvious)
