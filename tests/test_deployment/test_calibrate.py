import re
import shutil
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from imcnn_plugin.apis import open_loader, open_trained, predict_identity, predict_logits, predict_samples
from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.checkpoints import save_checkpoint
from imcnn_plugin.checkpoints.load_model import load_model
from imcnn_plugin.deployment import calibrate
from imcnn_plugin.engine import build_runner, load_config
from imcnn_plugin.engine.config import localize_data
from imcnn_plugin.errors import ConfigError, DataError
from imcnn_plugin.evaluation import AttributeReport
from imcnn_plugin.evaluation.calibration import fit_temperature, fit_thresholds
from imcnn_plugin.reports import write_report


@pytest.fixture(scope='module')
def calibrated(best, tmp_path_factory):
    """A checkpoint calibrated for F1, and the table that was shown."""
    checkpoint, table = calibrate(best, 'f1')
    path = tmp_path_factory.mktemp('calibrated') / 'f1.pth'
    save_checkpoint(checkpoint, path)
    return path, table


def test_buffers_are_what_was_fitted_on_the_validation_part(best, calibrated):
    trained = load_model(best)
    logits, targets, identity = predict_logits(trained, open_loader(trained.cfg, 'val_dataloader'))
    assert logits.shape == targets.shape == (8, 40) and len(np.unique(identity)) == 2
    head = load_model(calibrated[0]).head
    temperature = fit_temperature(logits, targets)
    assert head.temperature.tolist() == pytest.approx([temperature] * 40)
    assert head.thresholds.tolist() == pytest.approx(fit_thresholds(logits / temperature, targets, 'f1').tolist())


def test_nothing_else_of_the_checkpoint_changes(best, calibrated):
    before, after = torch.load(best), torch.load(calibrated[0])
    assert list(after) == list(before)
    said = after['meta'].pop('calibration')
    assert (said['criterion'], said['split'], said['num_images']) == ('f1', 'val', 8)
    assert after['meta'] == before['meta']
    for key, value in before['state_dict'].items():
        same = torch.equal(after['state_dict'][key], value)
        assert same != key.endswith(('.thresholds', '.temperature')), key


def test_data_of_another_config(best, faces):
    demo = Path(__file__).parents[2] / 'configs' / 'imcnn_demo.py'
    options = {
        'val_dataloader.dataset.split': 'train',
        'val_dataloader.num_workers': 0,
        'test_dataloader.num_workers': 0,
    }
    content, _ = calibrate(best, data_root=str(faces), config=str(demo), cfg_options=options)
    said = content['meta']['calibration']
    assert (said['split'], said['num_images']) == ('train', 56)
    # The checkpoint keeps its own.
    assert content['meta']['cfg'] == torch.load(best)['meta']['cfg']
    # The same labels in another order would calibrate each by the labels of another.
    options['model.head.attr_head.classes'] = list(ATTRIBUTES[::-1])
    with pytest.raises(ConfigError, match='are not the classes of the dataset, in its order'):
        calibrate(best, data_root=str(faces), config=str(demo), cfg_options=options)


def test_predictions_and_reports_use_them(best, calibrated, trained):
    plain, changed = load_model(best), load_model(calibrated[0])
    head = changed.head
    loader = open_loader(changed.cfg, 'test_dataloader')
    logits, targets, _ = predict_logits(changed, loader)
    [batch] = loader
    with torch.inference_mode():
        samples = changed.model.test_step(batch)
    probabilities = 1 / (1 + np.exp(-logits / head.temperature.numpy()))
    assert np.stack([sample.pred_score for sample in samples]) == pytest.approx(probabilities, abs=1e-6)
    for sample in samples:
        assert sample.pred_label.tolist() == torch.where(sample.pred_score >= head.thresholds)[0].tolist()
    assert predict_logits(plain, loader)[0] == pytest.approx(logits)


def test_table_shows_the_test_part(calibrated):
    lines = calibrated[1].splitlines()
    assert lines[0].split() == [
        'attribute',
        'threshold',
        *('acc after F1 after ECE after NLL after'.split()),
    ]
    assert len(lines) == 3 + 40 + 2 + 6 and len({len(line) for line in lines[:44]}) == 1
    assert '16 images of 4 identities' in calibrated[1] and 'Fitted on 8 images of 2 identities (val)' in calibrated[1]


def test_calibrating_again_starts_from_the_logits(best, calibrated):
    first, again = (calibrate(path, 'accuracy')[0]['state_dict'] for path in (best, calibrated[0]))
    torch.testing.assert_close(first, again, rtol=0, atol=0)


def test_refuses_to_fit_on_the_test_part(best):
    with pytest.raises(ConfigError, match='16 of the 16 images to fit on are also in the test split'):
        calibrate(best, cfg_options={'val_dataloader.dataset.split': 'test'})


def test_refuses_a_config_without_a_validation_part(best):
    with pytest.raises(ConfigError, match='has no val_dataloader'):
        calibrate(best, cfg_options={'val_dataloader': None, 'train_dataloader': None})


@pytest.mark.parametrize(
    'predict',
    [
        lambda trained, cfg: predict_logits(trained, open_loader(cfg, 'test_dataloader')),
        lambda trained, cfg: predict_samples(trained, cfg, 2),
        lambda trained, cfg: predict_identity([(trained, cfg)], 'Male'),
    ],
)
def test_identities_of_the_training_are_not_evaluated(best, faces, predict):
    trained, cfg = open_trained(best, str(faces), cfg_options={'test_dataloader.dataset.protocol': 'kfold'})
    with pytest.raises(ConfigError, match='was trained on 3 of 4 identities of CelebA in split test of .*kfold'):
        predict(trained, cfg)


def test_data_root_is_the_option_then_the_variable_then_the_checkpoints_own(best, monkeypatch):
    def root(**kwargs):
        return localize_data(load_model(best).cfg, **kwargs).val_dataloader.dataset.data_root

    monkeypatch.delenv('CELEBA_ROOT', raising=False)
    own = root(data_root=None)
    monkeypatch.setenv('CELEBA_ROOT', '/from/variable')
    assert (root(data_root=None), root(data_root='/given')) == ('/from/variable', '/given')
    assert own not in ('/from/variable', '/given')


def test_an_image_that_a_worker_cannot_read_is_one_line(best, faces, tmp_path):
    root = shutil.copytree(faces, tmp_path / 'faces')
    options = {'val_dataloader.num_workers': 1}
    cfg = localize_data(load_model(best).cfg, str(root))
    path = open_loader(cfg, 'val_dataloader').dataset.get_data_info(0)['img_path']
    Path(path).write_bytes(b'')
    with pytest.raises(DataError) as error:
        calibrate(best, data_root=str(root), cfg_options=options)
    assert str(error.value).startswith(f'{path} cannot be read (empty file)') and '\n' not in str(error.value)
    for kept in filter(None, (error.value, error.value.__cause__)):
        traceback.clear_frames(kept.__traceback__)


def unlabelled(faces, folder, splits):
    """Options for the drawn faces with a table of labels, which are unknown in some splits: the numbers of CelebA."""
    labels = (faces / 'list_attr_celeba.txt').read_text().splitlines()
    split = dict(line.split() for line in (faces / 'list_eval_partition.txt').read_text().splitlines())
    rows = [['image', 'part', *labels[1].split()]]
    for name, *values in map(str.split, labels[2:]):
        known = split[name] not in splits
        rows.append([name, ('train', 'val', 'test')[int(split[name])], *(values if known else [''] * 40)])
    (folder / 'labels.csv').write_text('\n'.join(map(','.join, rows)))
    dataset = dict(ann_file='labels.csv', split_column='part', data_root=str(folder))
    dataset.update(type='AttributeCSV', data_prefix=str(faces / 'img_align_celeba'))
    return {f'{name}_dataloader.dataset.{key}': value for name in ('val', 'test') for key, value in dataset.items()}


def test_a_validation_split_without_labels_is_one_line(best, faces, tmp_path):
    with pytest.raises(DataError, match='no label of the validation split is known'):
        calibrate(best, cfg_options=unlabelled(faces, tmp_path, '1'))


def test_a_test_split_without_labels_has_no_figures(best, faces, tmp_path):
    options = unlabelled(faces, tmp_path, '2')
    with warnings.catch_warnings():
        warnings.simplefilter('error', RuntimeWarning)
        _, table = calibrate(best, cfg_options=options)
    lines = table.splitlines()
    assert re.fullmatch(r'Young +0\.\d{3}(?: +-){6}', lines[41]) and re.fullmatch(r'mean(?: +-){6}', lines[43])
    assert 'A perfectly calibrated model has an ECE of - here.' in lines and 'Mean f1: -' in lines
    cfg = load_config(best, work_dir=str(tmp_path / 'run'), cfg_options=options)
    cfg.load_from = str(best)
    assert build_runner(cfg).test() == {}
    report = AttributeReport.load(tmp_path / 'run' / 'per_attribute.json')
    assert report.mean_accuracy is None and report.num_images == 16 and 'mean accuracy - %' in report.table()
    stored = torch.load(best)
    stored['meta']['cfg'] = cfg.pretty_text
    torch.save(stored, tmp_path / 'run' / best.name)
    page, _ = write_report(tmp_path / 'run')
    text = page.read_text()
    assert 'Mean accuracy</small><strong>– %' in text and not re.search(r'\bnan\b', text.partition('<script>')[0])
