import hashlib
import json

import pytest
import torch
from torch.hub import HASH_REGEX

from imcnn_plugin.apis import FaceAttributeInferencer, open_loader, predict_logits
from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.checkpoints.config_text import parse_config
from imcnn_plugin.checkpoints.load_model import load_model
from imcnn_plugin.deployment import calibrate, publish
from imcnn_plugin.deployment.publish import _without_folders
from imcnn_plugin.evaluation import score_attributes


@pytest.fixture(scope='module')
def published(trained, tmp_path_factory):
    """What is published of a checkpoint with optimizer, schedulers and histories."""
    return publish(trained / 'epoch_1.pth', tmp_path_factory.mktemp('published'))


def test_name_is_that_of_the_training_and_ends_in_the_hash(published, trained, tmp_path):
    digest = hashlib.sha256(published.path.read_bytes()).hexdigest()
    assert published.path.name == f'imcnn_demo-{digest[:8]}.pth'
    assert [path.name for path in published.path.parent.iterdir()] == [published.path.name]
    assert HASH_REGEX.search(published.path.name).group(1) == digest[:8]
    # The same contents under another name, twice.
    for _ in range(2):
        again = publish(trained / 'epoch_1.pth', tmp_path / 'new' / 'faces.pth')
        assert again.path == tmp_path / 'new' / f'faces-{digest[:8]}.pth'


def test_only_what_predictions_need_is_in_it(published, trained):
    before, after = torch.load(trained / 'epoch_1.pth'), torch.load(published.path)
    assert set(after) == {'meta', 'state_dict'}
    assert set(after['meta']) == {
        *('cfg', 'dataset_meta', 'epoch', 'experiment_name', 'iter', 'seed', 'time', 'trained_on', 'versions')
    }
    assert not [key for key in after['state_dict'] if 'id_head' in key]
    assert set(before) - set(after) <= set(published.dropped)
    size = sum(value.numel() for key, value in before['state_dict'].items() if 'id_head' in key)
    assert f'identity branch ({size:,} weights)' in published.dropped
    assert published.bytes_after == published.path.stat().st_size < published.bytes_before / 2


def test_weights_are_those_that_were_evaluated(published, trained):
    checkpoint = torch.load(trained / 'epoch_1.pth')
    # Averages; what was trained lies beside them.
    weights = torch.load(published.path)['state_dict']
    name = 'head.attr_head.banks.0.fc.weight'
    assert torch.equal(weights[name], checkpoint['state_dict'][name])
    assert not torch.equal(weights[name], checkpoint['ema_state_dict'][f'module.{name}'])
    loader = open_loader(load_model(trained / 'epoch_1.pth').cfg, 'val_dataloader')
    logits, targets, _ = predict_logits(load_model(published.path), loader)
    report = json.loads((trained / 'per_attribute.json').read_text())
    assert score_attributes(logits, targets, 0)['accuracy'].mean() == pytest.approx(report['mean_accuracy'])


def test_no_path_of_the_training_is_in_it(published, trained, faces):
    contents = published.path.read_bytes().decode('latin1')
    assert str(faces) in published.paths
    for path in (*published.paths, str(trained), '/tmp'):
        assert path not in contents
    config = parse_config(torch.load(published.path)['meta']['cfg'], published.path)
    assert config.test_dataloader.dataset.data_root == faces.name
    assert config.model.head.id_head is None and 'work_dir' not in config


def test_what_is_published_can_be_calibrated(published, trained, faces):
    first, second = (
        calibrate(path, 'f1', str(faces))[0]['state_dict'] for path in (trained / 'epoch_1.pth', published.path)
    )
    torch.testing.assert_close(second, {key: first[key] for key in second}, rtol=0, atol=0)


def test_work_directory_is_published_and_predicts_attributes_in_photos(trained, best, faces, tmp_path):
    published = publish(trained, tmp_path)
    assert (published.path.name, published.bytes_before) == (publish(best, tmp_path).path.name, best.stat().st_size)
    [result] = FaceAttributeInferencer(published.path, device='cpu')(
        faces / 'img_align_celeba' / '000002.jpg', aligned=True
    )
    assert list(result['faces'][0]['attributes']) == list(ATTRIBUTES)


def test_publishing_what_is_published_changes_nothing(published, tmp_path):
    again = publish(published.path, tmp_path)
    assert again.path.name == published.path.name and (again.dropped, again.paths) == ([], [])


def test_only_absolute_paths_lose_their_folders():
    found = []
    node = dict(a=['/x/y.csv', ('/z/', 'k/l')], b='https://host/a.pth', c=3, d=dict(e='/x/y.csv'))
    assert _without_folders(node, found) == dict(
        a=['y.csv', ('z', 'k/l')], b='https://host/a.pth', c=3, d=dict(e='y.csv')
    )
    assert found == ['/x/y.csv', '/z/']
