from types import SimpleNamespace

import pytest
import torch
from mmpretrain.registry import LOOPS, MODELS
from mmpretrain.structures import DataSample

from imcnn_plugin.errors import ConfigError

HEAD = dict(
    type='GroupedMultiLabelHead',
    classes=['a', 'b', 'c'],
    groups=[dict(name='all', labels=['a', 'b', 'c'])],
    in_channels=96,
    in_size=(2, 2),
)


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            data_preprocessor=dict(type='FacePreprocessor'),
            backbone=dict(type='IMCNN', width=1 / 32),
            head=HEAD,
        )
    )
    model.head.thresholds.copy_(torch.tensor([0.3, 0.5, 0.7]))
    # Probabilities all over the range.
    model.head.banks[0].fc.weight.data *= 1000
    return model.eval()


def evaluate(model, batches, **options):
    """What the evaluator is given of each batch by the loop."""
    given, called = [], []
    evaluator = SimpleNamespace(
        process=lambda data_samples, data_batch: given.append(data_samples), evaluate=lambda size: dict(images=size)
    )
    hooks = SimpleNamespace(model=model, call_hook=lambda name, **_: called.append(name), visualizer=SimpleNamespace())
    parts = dict(runner=hooks, dataloader=torch.utils.data.DataLoader(batches, batch_size=None), evaluator=evaluator)
    loop = LOOPS.build(dict(type='mmpretrain.MirrorTestLoop', **options), default_args=parts)
    assert loop.run() == dict(images=len(batches))
    assert called.count('before_test_iter') == called.count('after_test_iter') == len(batches)
    return given


def test_probabilities_are_the_mean_over_both_images(model):
    images = [torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8) for _ in range(2)]

    def probabilities(batch):
        with torch.no_grad():
            [sample] = model.test_step(dict(inputs=batch, data_samples=DataSample()))
        return sample.pred_score

    expected = [(probabilities(batch) + probabilities(batch.flip(3))) / 2 for batch in images]
    assert not torch.allclose(expected[0], probabilities(images[0]), atol=0.05)
    # One sample with stacked fields, as of packed faces.
    stacked = evaluate(model, [dict(inputs=batch, data_samples=DataSample()) for batch in images])
    for [sample], mean in zip(stacked, expected):
        torch.testing.assert_close(sample.pred_score, mean)
        assert 'pred_label' not in sample
    # A list of images, a sample each.
    singles = evaluate(
        model, [dict(inputs=list(batch), data_samples=[DataSample() for _ in batch]) for batch in images]
    )
    for samples, mean in zip(singles, expected):
        torch.testing.assert_close(torch.stack([sample.pred_score for sample in samples]), mean)
        for sample, row in zip(samples, mean):
            assert sample.pred_label.tolist() == torch.where(row >= model.head.thresholds)[0].tolist()


def test_shifted_crops_are_averaged_as_well(model, monkeypatch):
    with pytest.raises(ConfigError, match='data_preprocessor has no crop_size'):
        evaluate(model, [], shift=2)
    monkeypatch.setattr(model.data_preprocessor, 'crop_size', 32)
    images = torch.randint(0, 256, (5, 3, 38, 38), dtype=torch.uint8)
    mean = torch.zeros(5, 3)
    for top, left in ((3, 3), (1, 1), (1, 5), (5, 1), (5, 5)):
        crop = images[:, :, top : top + 32, left : left + 32]
        for view in (crop, crop.flip(3)):
            with torch.no_grad():
                [sample] = model.test_step(dict(inputs=view, data_samples=DataSample()))
            mean += sample.pred_score / 10
    [[sample]] = evaluate(model, [dict(inputs=images, data_samples=DataSample())], shift=2)
    torch.testing.assert_close(sample.pred_score, mean)
    with pytest.raises(ConfigError, match='crop_size is 32, but the images are 30x30'):
        evaluate(model, [dict(inputs=images, data_samples=DataSample())], shift=4)
    with pytest.raises(ConfigError, match='shift is -1, expected a positive integer'):
        evaluate(model, [], shift=-1)
