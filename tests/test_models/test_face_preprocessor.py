import pytest
import torch
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.registry import MODELS, TRANSFORMS
from mmpretrain.structures import DataSample

from imcnn_plugin.errors import ConfigError
from imcnn_plugin.models import batch_field


def build(**kwargs):
    return MODELS.build(dict(type='mmpretrain.FacePreprocessor', **kwargs))


@pytest.fixture
def images():
    torch.manual_seed(0)
    return torch.randint(0, 256, (6, 3, 10, 8), dtype=torch.uint8)


def test_normalizes_like_mmpretrain(images):
    settings = dict(mean=[120.0, 110.0, 100.0], std=[60.0, 61.0, 62.0], to_rgb=True)
    expected = ClsDataPreprocessor(**settings)(dict(inputs=images))['inputs']
    torch.testing.assert_close(build(**settings)(dict(inputs=images))['inputs'], expected)
    torch.testing.assert_close(build(**settings)(dict(inputs=list(images)))['inputs'], expected)


def test_flips_each_image_by_itself_and_only_in_training(images):
    plain = dict(mean=(0, 0, 0), std=(1, 1, 1), to_rgb=False)
    preprocessor = build(flip_prob=0.5, **plain)
    assert torch.equal(preprocessor(dict(inputs=images))['inputs'], images.float())
    flips = []
    for _ in range(100):
        out = preprocessor(dict(inputs=images), training=True)['inputs']
        for before, after in zip(images.float(), out):
            flips.append(torch.equal(after, before.flip(2)))
            assert flips[-1] or torch.equal(after, before)
    assert 0.4 < sum(flips) / len(flips) < 0.6
    assert len(set(flips[:6])) == 2


def test_crops_the_center_at_test_time_and_randomly_in_training():
    rows, columns = torch.meshgrid(torch.arange(10), torch.arange(8), indexing='ij')
    image = torch.stack([rows, columns, rows * 0]).to(torch.uint8).expand(200, 3, 10, 8)
    preprocessor = build(mean=(0, 0, 0), std=(1, 1, 1), to_rgb=False, crop_size=6)
    centre = preprocessor(dict(inputs=image))['inputs']
    assert torch.equal(centre, image[:, :, 2:8, 1:7].float())
    crops = preprocessor(dict(inputs=image), training=True)['inputs']
    corners = {(int(crop[0, 0, 0]), int(crop[1, 0, 0])) for crop in crops}
    assert corners == {(row, column) for row in range(5) for column in range(3)}
    for crop in crops:
        top, left = int(crop[0, 0, 0]), int(crop[1, 0, 0])
        assert torch.equal(crop, image[0, :, top : top + 6, left : left + 6].float())


def test_a_pipeline_may_crop_instead():
    """As docs/backbones.md says, for tools that draw on the image of the pipeline."""
    image = torch.randint(0, 256, (3, 72, 72), dtype=torch.uint8)
    crop = TRANSFORMS.build(dict(type='mmpretrain.CenterCrop', crop_size=64))
    cropped = torch.from_numpy(crop(dict(img=image.permute(1, 2, 0).numpy()))['img']).permute(2, 0, 1)
    preprocessor = build(crop_size=64)
    found, expected = (preprocessor(dict(inputs=[x]))['inputs'] for x in (cropped, image))
    assert cropped.shape == (3, 64, 64) and torch.equal(found, expected)


def test_keeps_everything_else(images):
    assert build()(dict(inputs=images, data_samples=[1, 2]))['data_samples'] == [1, 2]


@pytest.mark.parametrize('stacked', [True, False])
def test_mixes_images_and_labels_alike(images, stacked):
    """A label says how much of the first image is in a mixed one; the other is unknown in the first."""
    images = torch.zeros_like(images)
    images[0] = 200
    score = torch.tensor([[1, -1]] + [[0, 0]] * (len(images) - 1))
    samples = DataSample(gt_score=score, gt_identity=torch.arange(len(images)))
    if not stacked:
        samples = [DataSample(gt_score=row, gt_identity=index) for index, row in enumerate(score)]
    preprocessor = build(mean=(0, 0, 0), std=(1, 1, 1), batch_augments=dict(augments=dict(type='Mixup', alpha=0.9)))
    preprocessor(dict(inputs=images, data_samples=samples))
    assert torch.equal(batch_field(samples, 'gt_score', 'cpu'), score)
    mixed = preprocessor(dict(inputs=images, data_samples=samples), training=True)['inputs']
    found = batch_field(samples, 'gt_score', 'cpu')
    torch.testing.assert_close(found[:, 0], mixed[:, 0, 0, 0] / 200)
    assert torch.equal(found[:, 1] == -1, found[:, 0] > 0) and (found[:, 0] > 0).any()
    assert (batch_field(samples, 'gt_identity', 'cpu') == -1).all()


def test_rejects_images_smaller_than_the_crop(images):
    with pytest.raises(ConfigError, match='crop_size is 9, but the images are 10x8'):
        build(crop_size=9)(dict(inputs=images))
