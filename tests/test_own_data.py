"""The examples of docs/own_data.md as a user runs them: copied to a folder of their own, and started there."""

import json
import re
import shutil
from pathlib import Path

import mmpretrain
import pytest
import torch
from commands import run
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS, MODELS
from PIL import Image

from imcnn_plugin.datasets import AttributeCSV

REPOSITORY = Path(__file__).resolve().parents[1]
LABELS = ['tilted', 'hollow', 'red', 'blue', 'striped', 'large']
PAGE = REPOSITORY / 'docs' / 'own_data.md'


def train(folder, tool, config, *options):
    """Trains for an epoch; returns what was printed, the report and the weights."""
    output = run(tool, config, '--cfg-options', 'train_cfg.max_epochs=1',
                 'train_dataloader.dataset.indices=32', *options, cwd=folder)  # fmt: skip
    work_dir = folder / 'work_dirs' / Path(config).stem
    weights = torch.load(work_dir / 'epoch_1.pth', weights_only=True)['state_dict']
    return output, json.loads((work_dir / 'per_attribute.json').read_text()), weights


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A user's folder with the examples and 200 pictures."""
    folder = tmp_path_factory.mktemp('user')
    for path in (REPOSITORY / 'docs' / 'examples').glob('*.py'):
        shutil.copy(path, folder)
    run('draw_shapes.py', '--out', 'shapes', '--images', '200', cwd=folder)
    return folder


@pytest.fixture(scope='module')
def trained(folder):
    in_process = [f'{part}_dataloader.num_workers=0' for part in ('train', 'val', 'test')]
    return train(folder, REPOSITORY / 'tools' / 'train.py', 'resnet18_shapes.py', *in_process)


def test_pictures_have_known_and_unknown_labels(folder):
    parts = {
        split: AttributeCSV('labels.csv', str(folder / 'shapes'), 'pictures', split_column='part', split=split)
        for split in ('train', 'val', 'test')
    }
    assert [len(part) for part in parts.values()] == [140, 20, 40]
    assert parts['train'].metainfo['classes'] == tuple(LABELS)
    scores = {split: torch.tensor([record['gt_score'].tolist() for record in part]) for split, part in parts.items()}
    assert 0.15 < (scores['train'] == -1).float().mean() < 0.25 and (scores['test'] >= 0).all()
    assert all(set(column) == {-1, 0, 1} for column in scores['train'].T.tolist())


def test_a_config_of_ones_own_trains_and_reports(trained):
    output, report, _ = trained
    assert list(report['attributes']) == LABELS and list(report['groups']) == ['form', 'color', 'rest']
    assert (report['split'], report['num_images']) == ('test', 40)
    assert 'Global batch 32 (1 x 32), 1 steps per epoch' in output
    # The table of the test alone.
    assert len(re.findall(r'^striped +\d', output, re.MULTILINE)) == 1


def test_a_backbone_is_trained_further_on_other_labels(folder, trained):
    """With mmpretrain's own tool, for which custom_imports is all that makes the plugin known."""
    output, report, weights = train(
        folder,
        Path(mmpretrain.__file__).parent / '.mim' / 'tools' / 'train.py',
        'resnet18_shapes_finetune.py',
        'model.backbone.init_cfg.checkpoint=work_dirs/resnet18_shapes/epoch_1.pth',
        'optim_wrapper.optimizer.lr=0.0',
    )
    assert list(report['attributes']) == ['large', 'striped']
    assert 'size mismatch' not in output
    for name, value in trained[2].items():
        # At this rate only the statistics of batch normalization move.
        if name.startswith('backbone.') and 'running' not in name and 'num_batches' not in name:
            assert torch.equal(value, weights[name]), name
    assert weights['head.banks.0.hidden.0.weight'].shape == (2, 512, 64)


def test_head_in_a_bare_model_of_mmengine(folder):
    output = run('bare_mmengine.py', '--data-root', 'shapes', '--epochs', '6', cwd=folder)
    report = json.loads((folder / 'work_dirs' / 'bare_mmengine' / 'per_attribute.json').read_text())
    assert list(report['attributes']) == LABELS and report['num_images'] == 40
    # By chance it would be the label's prevalence, 25 to 60 %.
    assert all(report['attributes'][label]['average_precision'] > 90 for label in ('red', 'blue', 'striped')), output


def test_page_names_the_files_that_are_there():
    for path in (REPOSITORY / 'docs' / 'examples').glob('*.py'):
        assert f'(examples/{path.name})' in PAGE.read_text()


def test_the_file_of_the_page_is_read_as_it_says(tmp_path):
    text = PAGE.read_text()
    [table], [settings, settings_of_head, _] = (
        re.findall(f'```{language}\n(.*?)```', text, re.DOTALL) for language in ('csv', 'python')
    )
    (tmp_path / 'labels.csv').write_text(table)
    for line in table.splitlines()[1:]:
        path = tmp_path / 'pictures' / line.split(',')[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (20, 20)).save(path)
    namespace = {}
    exec(settings, namespace)
    dataset = DATASETS.build(dict(namespace['dataset'], data_root=str(tmp_path)))
    samples = [record['data_samples'] for record in dataset]
    assert [sample.gt_score.tolist() for sample in samples] == [[1, 0, 0], [1, 1, -1], [0, -1, -1]]
    assert [sample.gt_identity for sample in samples] == [0, 0, 1]
    assert dataset[0]['inputs'].shape == (3, 112, 112)
    # The head of the page, on these labels.
    classes = dataset.metainfo['classes']
    names = dict(classes=classes, groups=[dict(name='all', labels=classes)])
    exec(settings_of_head, names)
    assert names['head']['id_head']['num_identities'] == 'auto'
    # Only a runner knows the training split.
    names['head']['id_head']['num_identities'] = dataset.metainfo['num_identities']
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        head = MODELS.build(names['head'])
    assert set(head.loss((torch.randn(3, 512),), samples)) == {'loss_attr', 'loss_id'}
