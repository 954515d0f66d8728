"""The tools that draw the paper's figures, as a user runs them: real processes on drawn faces."""

import json
from pathlib import Path

import commands
import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS
from PIL import Image

from imcnn_cli import split_named
from imcnn_plugin.apis import choose_record, open_trained, predict_identity, predict_samples
from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datasets.packing import write_pack
from imcnn_plugin.engine import build_split, load_config
from imcnn_plugin.errors import ConfigError, DataError

REPOSITORY = Path(__file__).resolve().parents[2]


def run(tool, *arguments, ok=True):
    return commands.run(f'tools/analysis/{tool}.py', *arguments, ok=ok)


def is_drawn(path):
    return len(np.unique(np.asarray(Image.open(path).convert('RGB')).reshape(-1, 3), axis=0)) > 50


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    """A config and two untrained checkpoints of it."""
    folder = tmp_path_factory.mktemp('tiny')
    model = dict(backbone=dict(width=0.0625), head=dict(attr_head=dict(in_channels=192, hidden_dims=(8, 8))))
    model['head']['id_head'] = dict(in_channels=192, embedding_dims=8, num_identities=14)
    config = folder / 'tiny.py'
    config.write_text(f'_base_ = {str(REPOSITORY / "configs" / "imcnn_celeba_mini.py")!r}\nmodel = {model!r}\n')
    for seed in (0, 1):
        torch.manual_seed(seed)
        cfg = load_config(config)
        network = MODELS.build(cfg.model)
        network.init_weights()
        torch.save(dict(meta=dict(cfg=cfg.pretty_text), state_dict=network.state_dict()), folder / f'{seed}.pth')
    return str(config), str(folder / '0.pth'), str(folder / '1.pth')


def test_attribute_correlation(tiny, faces, tmp_path):
    output = run(
        'attribute_correlation', tiny[0], '--data-root', faces, '--split', 'val', '--out', tmp_path / 'a.png', ok=False
    )
    # Two of the drawn identities validate.
    assert output.splitlines()[-1].startswith('error: 4 images of identity ')
    output = run(
        'attribute_correlation', tiny[0], '--data-root', faces, '--identity', '100003', '--out', tmp_path / 'a.png'
    )
    found = '4 images of identity 100003 (35 requested, but the train split has no more)'
    assert f'{found} beside one image each' in output
    assert is_drawn(tmp_path / 'a.png')


def test_feature_maps(tiny, faces, tmp_path):
    config, first, second = tiny
    image = next((faces / 'img_align_celeba').iterdir())
    common = ['feature_maps', config, f'0={first}', f'1={second}', '--image', image, '--out', tmp_path / 'a.png']
    assert f'a.png: backbone.layers.conv3 of 2 networks for {image}' in run(*common)
    assert is_drawn(tmp_path / 'a.png')
    output = run(*common, '--layer', 'backbone.layers.conv9', ok=False)
    assert output.splitlines()[-1] == (
        "error: there is no layer 'backbone.layers.conv9': backbone.layers has "
        'conv1, pool1, conv2a, conv2, pool2, conv3a, conv3, pool3, conv_attr'
    )


def test_person_predictions(tiny, faces, tmp_path):
    config, first, second = tiny
    networks = [f'A={config},{first}', f'B={config},{second}']
    output = run(
        'person_predictions', *networks, '--attribute', 'Male', '--data-root', faces, '--out', tmp_path / 'a.png'
    )
    assert '4 images of identity' in output and is_drawn(tmp_path / 'a.png')


def test_lambda_curves(tmp_path):
    for name in ('0', '1'):
        path = tmp_path / name / '20260101_000000' / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True)
        lines = [dict(loss_attr=15.5, epoch=1, step=50), {'attr/mean_accuracy': 85.5, 'step': 1}]
        path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    runs = [f'{name}={tmp_path / name}' for name in ('0', '1')]
    assert 'a.png: 2 runs' in run('lambda_curves', *runs, '--out', tmp_path / 'a.png')
    assert is_drawn(tmp_path / 'a.png')


def test_predictions_for_an_identity_are_those_of_each_network(tiny, faces, tmp_path):
    networks = [open_trained(checkpoint, str(faces)) for checkpoint in tiny[1:]]
    records = build_split(networks[0][1]).data_list
    identity = int(records.identity[-1])
    rows = np.flatnonzero(records.identity == identity)[:3]
    images, labels, probabilities, thresholds, found = predict_identity(networks, 'Male', identity, max_images=3)
    male = ATTRIBUTES.index('Male')
    assert found == identity and labels.tolist() == records.gt_score[rows, male].tolist()
    np.testing.assert_array_equal(images[2], np.asarray(Image.open(records[rows[2]]['img_path'])))
    # What show_predictions gets for the same images of the whole test split.
    for network, values in zip(networks, probabilities):
        np.testing.assert_allclose(values, predict_samples(*network, len(records))[1][rows, male], rtol=1e-4)
    assert not np.allclose(*probabilities) and thresholds.tolist() == [0.5, 0.5]
    with pytest.raises(DataError, match="no image of identity 9999 is in split 'test'"):
        predict_identity(networks, 'Male', 9999)
    with pytest.raises(ConfigError, match="there is no attribute 'Tall', only 5_o_Clock_Shadow, "):
        predict_identity(networks, 'Tall', identity)
    few = torch.load(tiny[2])
    few['meta']['cfg'] = few['meta']['cfg'].replace("'Male'", "'Tall'")
    torch.save(few, tmp_path / 'few.pth')
    with pytest.raises(ConfigError, match="a network has no attribute 'Male', only .* Tall"):
        predict_identity([networks[0], open_trained(tmp_path / 'few.pth', str(faces))], 'Male', identity)
    with pytest.raises(DataError, match='nowhere.pth cannot be read'):
        open_trained('nowhere.pth', str(faces))


def test_pictures_are_not_drawn_from_a_pack(tiny, faces, tmp_path):
    pack = write_pack(faces, tmp_path / 'pack', size=72, jobs=1).path
    trained, cfg = open_trained(tiny[1], str(pack), cfg_options={'test_dataloader.dataset.type': 'PackedFaces'})
    assert len(build_split(cfg)) > 0
    for draw in (
        lambda: predict_samples(trained, cfg, 2),
        lambda: predict_identity([(trained, cfg)], 'Male'),
        lambda: choose_record(cfg, None, 0),
    ):
        with pytest.raises(ConfigError, match='has its images in a pack: give a config that reads files'):
            draw()


def test_chooses_an_image_by_file_or_number(tiny, faces):
    cfg = load_config(tiny[0], str(faces))
    records = build_split(cfg).data_list
    assert choose_record(cfg, None, 2)['img_path'] == records[2]['img_path']
    assert choose_record(cfg, records[5]['img_path'], 2) == dict(img_path=records[5]['img_path'])
    with pytest.raises(DataError, match=f'no image {len(records)}: the test split has {len(records)}, starting at 0'):
        choose_record(cfg, None, len(records))
    with pytest.raises(DataError, match='nowhere.jpg not found'):
        choose_record(cfg, 'nowhere.jpg', 0)


def test_wrapped_test_data(tiny, faces):
    trained, cfg = open_trained(tiny[1], str(faces))
    single = build_split(cfg)
    part = cfg.test_dataloader.dataset
    cfg.test_dataloader.dataset = dict(type='ConcatDataset', datasets=[part, part])
    assert choose_record(cfg, None, len(single))['img_path'] == single.get_data_info(0)['img_path']
    images, probabilities, *_ = predict_samples(trained, cfg, 2 * len(single))
    np.testing.assert_allclose(probabilities[: len(single)], probabilities[len(single) :], rtol=1e-4)
    assert len(images) == 2 * len(single)
    with pytest.raises(ConfigError, match="is a ConcatDataset, which has no split 'train': set it to one of"):
        build_split(cfg, 'train')


def test_splits_names_from_what_they_name():
    assert split_named(['0.1=a=b', 'x=c,d'], 'NAME=FILE') == [('0.1', 'a=b'), ('x', 'c,d')]
    for argument in ('a', '=a', 'a='):
        with pytest.raises(ConfigError, match=f"expected NAME=FILE, found '{argument}'"):
            split_named([argument], 'NAME=FILE')
