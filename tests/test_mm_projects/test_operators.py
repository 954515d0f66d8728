"""What projects/complete_mm.py makes: mmcv's operators, against torchvision's."""

import pytest
import torch
import torchvision

pytest.importorskip('mmcv._ext', reason='mmcv has no operators here: bash tools/run_tests.sh --mm')


@pytest.fixture
def boxes():
    corner = 60 * torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    return torch.cat([corner, corner + 20], 1)


def test_nms(boxes):
    from mmcv.ops import nms

    scores = torch.linspace(0, 1, 50)
    kept, indices = nms(boxes, scores, iou_threshold=0.3)
    assert 1 < len(indices) < 50 and indices.tolist() == torchvision.ops.nms(boxes, scores, 0.3).tolist()
    assert torch.equal(kept, torch.cat([boxes, scores[:, None]], 1)[indices])


def test_roi_align_and_its_gradient(boxes):
    from mmcv.ops import roi_align

    maps = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    rois = torch.cat([torch.arange(50)[:, None] % 2, boxes], 1)
    found, expected = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    ours = roi_align(found, rois, 7, 0.25, 2, 'avg', True)
    theirs = torchvision.ops.roi_align(expected, rois, 7, 0.25, 2, aligned=True)
    torch.testing.assert_close(ours, theirs)
    for output in (ours, theirs):
        output.square().sum().backward()
    torch.testing.assert_close(found.grad, expected.grad)


def test_deformable_convolution():
    from mmcv.ops import modulated_deform_conv2d

    rng = torch.Generator().manual_seed(2)
    x, weight = torch.randn(2, 4, 9, 9, generator=rng), torch.randn(6, 4, 3, 3, generator=rng)
    offset, mask = torch.randn(2, 18, 9, 9, generator=rng), torch.rand(2, 9, 9, 9, generator=rng)
    ours = modulated_deform_conv2d(x, offset, mask, weight, None, 1, 1, 1, 1, 1)
    theirs = torchvision.ops.deform_conv2d(x, offset, weight, None, 1, 1, mask=mask)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
