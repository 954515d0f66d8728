import pytest
import torch

from imcnn_plugin.errors import ConfigError
from imcnn_plugin.models import ANet


@pytest.fixture
def anet():
    torch.manual_seed(0)
    return ANet(in_size=20, patch_size=16, patches=3, channels=(4, 4), local_channels=(8,), feat_dims=6)


def test_features_are_the_mean_over_overlapping_patches(anet):
    x = torch.randn(2, 3, 20, 20)
    patches = [x[..., top : top + 16, left : left + 16] for top in (0, 2, 4) for left in (0, 2, 4)]
    anet.eval()
    expected = torch.stack([anet.fc(anet.layers(patch).flatten(1)) for patch in patches]).mean(0)
    torch.testing.assert_close(anet(x)[-1], expected)
    assert expected.shape == (2, 6)


def test_training_sees_one_patch_of_each_face(anet):
    """Pixels that the other patches see have no gradient; which patch it is changes."""
    anet.train()
    seen = set()
    for _ in range(12):
        x = torch.randn(3, 3, 20, 20, requires_grad=True)
        anet(x)[-1].sum().backward()
        for gradient in x.grad.abs().sum(1):
            rows, columns = gradient.sum(1).nonzero(), gradient.sum(0).nonzero()
            assert max(rows.max() - rows.min(), columns.max() - columns.min()) < 16
            seen.add((int(rows.min()) // 2, int(columns.min()) // 2))
    assert len(seen) > 4


def test_one_patch_is_the_center():
    net = ANet(in_size=20, patch_size=16, patches=1, channels=(4,), local_channels=(4,), feat_dims=2)
    assert net.corners == [(2, 2)]


def test_patches_that_do_not_fit_are_named():
    with pytest.raises(ConfigError, match='patch_size is 72, expected a multiple of 8 of at most 64'):
        ANet(patch_size=72)
