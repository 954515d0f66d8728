"""The report of a run, as a user makes it: real processes on synthetic faces."""

import json
import re
import runpy
import sys
from pathlib import Path

import pytest
from commands import run

from imcnn_plugin.reports import write_report

REPOSITORY = Path(__file__).resolve().parents[2]
TINY = [
    'model.backbone.width=0.0625',
    'model.head.attr_head.in_channels=192',
    'model.head.attr_head.hidden_dims=(8,8)',
    'model.head.id_head=None',
    'train_cfg.max_epochs=1',
    'train_dataloader.batch_size=16',
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'test_dataloader.num_workers=0',
    'default_hooks.logger.interval=2',
]


@pytest.fixture(scope='module')
def trained(faces, tmp_path_factory):
    """The work directory of a run of one epoch."""
    folder = tmp_path_factory.mktemp('trained') / 'work'
    command = ['tools/train.py', 'configs/imcnn_demo.py', '--work-dir', folder, '--cfg-options', *TINY]
    run(*command, CELEBA_ROOT=str(faces))
    return folder


def test_the_report_of_a_run(trained):
    output = run('tools/analysis/report.py', trained, '--pictures')
    assert output.endswith(f'Written to {trained}/report.html\n')
    # Nothing is missing, and predictions for the test split are the same as in training.
    assert 'The test split was not predicted' not in output and 'per_attribute.json' not in output
    page = (trained / 'report.html').read_text(encoding='utf-8')
    report = json.loads((trained / 'per_attribute.json').read_text())
    assert f'<strong>{report["mean_accuracy"]:.2f} %</strong>' in page
    for name, values in report['attributes'].items():
        cells = re.search(f'<th scope="row">{name.replace("_", "_<wbr>")}</th>(.*?)</tr>', page, re.DOTALL).group(1)
        assert re.findall('<td>([-0-9.]+)</td>', cells)[0] == f'{values["accuracy"]:.2f}'
    assert page.count('data:image/svg+xml;base64,') == 4 and page.count('data:image/jpeg;base64,') > 20
    assert 'torch ' in page and report['checksums']['images'] in page and '<td>1 of 1</td>' in page


def test_without_the_dataset_the_page_has_the_rest(trained, tmp_path, monkeypatch):
    monkeypatch.setenv('CELEBA_ROOT', str(tmp_path))
    path, [note] = write_report(trained, tmp_path / 'page' / 'report.html')
    assert note.startswith(f'The test split was not predicted: {tmp_path}/list_attr_celeba.txt: not found')
    page = path.read_text(encoding='utf-8')
    assert page.count('data:image/svg+xml;base64,') == 3 and page.count('This section needs predictions') == 4
    assert 'FacialHair' in page and '95 % interval over identities' in page


def test_a_requested_data_root_must_exist(trained, tmp_path, monkeypatch):
    tool, page = REPOSITORY / 'tools' / 'analysis' / 'report.py', tmp_path / 'a.html'
    monkeypatch.setattr(sys, 'argv', [str(tool), str(trained), '--data-root', str(tmp_path), '--out', str(page)])
    with pytest.raises(SystemExit, match=f'^error: {tmp_path}/list_attr_celeba.txt: not found'):
        runpy.run_path(str(tool), run_name='__main__')
    assert not page.exists()
