import json

import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmpretrain.registry import DATASETS

from imcnn_plugin.apis import Album, fit_album, open_loader, predict_logits
from imcnn_plugin.apis.fit_album import _gains, _records
from imcnn_plugin.checkpoints.load_model import load_model
from imcnn_plugin.datasets import CelebAIdentity
from imcnn_plugin.errors import ConfigError, DataError
from imcnn_plugin.evaluation.identity_agreement import agreement_beyond_chance
from imcnn_plugin.evaluation.identity_pooling import fit_pooling


@pytest.fixture
def album():
    agreement, prevalence = np.array([0.9, 0.1, np.nan, 1.0]), np.array([0.4, 0.5, 0.0, 0.6])
    theta = np.array([[0.6, 0.8, 0.1], [1, 0, 0], [1, 0, 0], [0.7, 0.5, -0.2]])
    return Album(['a', 'b', 'c', 'd'], agreement, prevalence, theta, 'abc')


def test_a_file_holds_all(album, tmp_path):
    album.save(tmp_path / 'deep' / 'album.json')
    found = Album.load(tmp_path / 'deep' / 'album.json')
    assert found.classes == album.classes and found.checkpoint == 'abc'
    for name in ('agreement', 'prevalence', 'theta', 'identity_stable'):
        assert np.array_equal(getattr(found, name), getattr(album, name), equal_nan=name == 'agreement')
    assert json.loads((tmp_path / 'deep' / 'album.json').read_text())['attributes']['c']['agreement'] is None


@pytest.mark.parametrize('text', ['', '{"checkpoint": "abc"}', '[]', '{"checkpoint": "a", "attributes": {"a": 1}}'])
def test_refuses_what_is_no_album(text, tmp_path):
    (tmp_path / 'album.json').write_text(text)
    with pytest.raises(DataError, match='album.json is not an album .* fit it with tools/fit_album.py'):
        Album.load(tmp_path / 'album.json')
    with pytest.raises(DataError, match='none.json cannot be read'):
        Album.load(tmp_path / 'none.json')


def test_only_stable_attributes_of_identities_with_other_images_change(album):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6, 4)).astype(np.float32)
    alone = rng.random((6, 4)).astype(np.float32)
    identity = np.array([5, 5, 5, 8, -1, -1])
    found = album.probabilities(logits, alone, identity)
    assert np.array_equal(found[3:], alone[3:]) and np.array_equal(found[:, 1:3], alone[:, 1:3])
    for label, agreement in ((0, 0.9), (3, 0.99)):
        own, others, offset = album.theta[label]
        strength, prevalence = 1 / agreement - 1, album.prevalence[label]
        p = 1 / (1 + np.exp(-logits[:3, label].astype(float)))
        share = (prevalence * strength + p.sum() - p) / (strength + 2)
        evidence = np.log(share / (1 - share)) - np.log(prevalence / (1 - prevalence))
        score = own * logits[:3, label] + others * evidence + offset
        assert found[:3, label] == pytest.approx(1 / (1 + np.exp(-score)))
    # Without identities all are one person.
    assert np.array_equal(found[:3], album.probabilities(logits[:3], alone[:3]))


def test_belongs_to_one_checkpoint(album):
    album.check('abc')
    with pytest.raises(ConfigError, match='fitted to the scores of another checkpoint'):
        album.check('abd')


def test_is_fitted_to_the_validation_split(best):
    album, gains = fit_album(best)
    trained = load_model(best)
    assert album.checkpoint == trained.checksum and 0 < album.identity_stable.sum() < 40
    records = DATASETS.build(trained.cfg.train_dataloader.dataset).data_list
    agreement, prevalence = agreement_beyond_chance(
        np.stack([record['gt_score'] for record in records]), np.array([record['identity'] for record in records])
    )
    assert np.array_equal(album.agreement, agreement, equal_nan=True)
    logits, targets, identity = predict_logits(trained, open_loader(trained.cfg, 'val_dataloader'))
    stable = agreement >= 0.35
    used = np.where(stable, agreement, 0.35).clip(max=0.99), np.where(stable, prevalence, 0.5)
    assert album.theta == pytest.approx(fit_pooling(logits, targets, identity, stable, *used))

    logits, targets, identity = predict_logits(trained, open_loader(trained.cfg, 'test_dataloader'))
    alone = torch.from_numpy(logits).sigmoid().numpy()
    together = album.probabilities(logits, alone, identity)
    assert [gain['min_images'] for gain in gains] == [2, 3]
    for gain in gains:
        assert (gain['images'], gain['identities']) == (len(logits), len(np.unique(identity)))
        assert gain['alone'] == pytest.approx(100 * ((alone >= 0.5) == targets).mean())
        assert gain['together'] == pytest.approx(100 * ((together >= 0.5) == targets).mean())
        assert gain['difference'] == pytest.approx(gain['together'] - gain['alone'])
        assert gain['low'] <= gain['difference'] <= gain['high']


def test_gains_are_of_identities_with_enough_images():
    identity = np.array([0, 0, 1, 1, 1, 2, -1, -1, -1])
    targets = np.ones((9, 2), int)
    targets[4, 1] = -1
    alone, together = np.zeros((2, 9, 2), bool)
    together[[0, 2, 3, 4, 5, 6]] = True
    two, three = _gains(alone, together, targets, identity)
    assert (two['identities'], two['images'], three['identities'], three['images']) == (2, 5, 1, 3)
    # Of five and of four known labels.
    assert (two['alone'], two['together']) == (0, pytest.approx(50 * (4 / 5 + 3 / 4)))
    assert (three['alone'], three['together'], three['difference']) == (0, 100, 100)
    assert np.isnan(three['low'])


def test_nothing_is_fitted_on_the_test_split(best, tmp_path):
    checkpoint = torch.load(best)
    checkpoint['meta']['cfg'] = checkpoint['meta']['cfg'].replace("split='val'", "split='test'")
    torch.save(checkpoint, tmp_path / 'a.pth')
    with pytest.raises(ConfigError, match='images to fit on are also in the test split'):
        fit_album(tmp_path / 'a.pth')


def test_data_of_another_config(best, tmp_path):
    cfg = load_model(best).cfg
    cfg.val_dataloader.dataset.split = 'test'
    cfg.dump(tmp_path / 'other.py')
    options = {'test_dataloader.dataset.split': 'val'}
    _, gains = fit_album(best, config=str(tmp_path / 'other.py'), cfg_options=options)
    assert gains[0]['images'] == 8


def test_data_may_lie_elsewhere(best, tmp_path):
    with pytest.raises(DataError, match=str(tmp_path)):
        fit_album(best, data_root=str(tmp_path))


def test_records_in_wrappers_count_once(faces):
    one, other = CelebAIdentity(str(faces), 'train'), CelebAIdentity(str(faces), 'val')
    joined = ConcatDataset([one, other], ignore_keys=['split', 'checksums'])
    assert len(_records(joined)) == len(one) + len(other)
    assert len(_records(RepeatDataset(one, times=3))) == len(_records(one)) == len(one)
