"""A sweep as a user runs it, with real runs of a tiny network on synthetic faces."""

import fcntl
import json
import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from commands import CONFIG, REPOSITORY, TINY, start

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.errors import ConfigError
from imcnn_plugin.experiments import Sweep, SweepTable, Variant, group_rows, parse_variant, read_rows
from imcnn_plugin.experiments.job import _folder_name
from imcnn_plugin.experiments.results_file import _unpack_counts
from imcnn_plugin.experiments.sweep import _logged_rest, _validation_accuracy

OPTIONS = [*TINY, 'train_cfg.max_epochs=1']
ATTR_NET = f'ATTR Net={CONFIG} model.head.id_head=None'
IMCNN = f'IMCNN 0.3={CONFIG} model.head.loss.id_weight=0.3'


def run(out, faces, *arguments):
    """Exit status and output of a sweep."""
    command = ['tools/sweep.py', *arguments, '--out', out, '--results', out / 'results.jsonl', '--data-root', faces]
    with start(*command, '--cfg-options', *OPTIONS) as process:
        output, _ = process.communicate(timeout=300)
    return process.returncode, output


@pytest.fixture(scope='module')
def swept(faces, tmp_path_factory):
    """The folder of a sweep of two variants and a broken one, its exit status and its output."""
    folder = tmp_path_factory.mktemp('sweep')
    broken = f'broken={CONFIG} train_dataloader.dataset.split=nothing'
    written = ('--markdown', folder / 'table.md', '--picture', folder / 'differences.png')
    return folder, *run(folder, faces, ATTR_NET, broken, IMCNN, '--seeds', '0', '1', *written)


def rows_of(folder):
    return [json.loads(line) for line in (folder / 'results.jsonl').read_text().splitlines()]


def in_process(folder, faces, monkeypatch):
    """The sweep of the two good variants once more."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    variants = [parse_variant(text, OPTIONS) for text in (ATTR_NET, IMCNN)]
    script = REPOSITORY / 'tools' / 'train.py'
    return Sweep(variants, (0, 1), folder, folder / 'results.jsonl', script, str(faces)), variants


def test_a_row_has_what_tables_and_intervals_need(swept):
    folder, _, _ = swept
    rows = rows_of(folder)
    assert [(row['name'], row['seed']) for row in rows] == [(n, s) for n in ('ATTR Net', 'IMCNN 0.3') for s in (0, 1)]
    assert len({row['config_hash'] for row in rows}) == 2
    for row in rows:
        report = json.loads((folder / f'{row["name"].lower().replace(" ", "_")}-seed{row["seed"]}' /
                             'per_attribute.json').read_text())  # fmt: skip
        assert report['seed'] == row['seed'] and ('id_weight=0.3' in row['options'][-1]) == ('0.3' in row['name'])
        assert row['mean_accuracy'] == pytest.approx(report['mean_accuracy'], abs=1e-4)
        assert tuple(row['accuracy']) == ATTRIBUTES
        for key in ('identity_stable', 'checksums', 'split', 'num_images', 'versions'):
            assert row[key] == report[key]
        counts = _unpack_counts(row['by_identity'], len(ATTRIBUTES))
        for key in ('correct', 'labelled'):
            found = report['by_identity'][key]
            assert counts[key].T.tolist() == [*found.values()]
        path = folder / _folder_name(Variant(row['name'], CONFIG), row['seed']) / 'train.log'
        log = path.read_text()
        assert _logged_rest(path) == 0
        [val] = re.findall(r'Epoch\(val\) .* attr/mean_accuracy: ([0-9.]+)', log)
        assert row['val_accuracy'] == pytest.approx(float(val), abs=1e-4)
        assert row['agreement'] == report['means']['agreement'] and row['seconds'] > 1 and not row['resumed']
    assert str(folder) not in (folder / 'results.jsonl').read_text() and '"/' not in json.dumps(rows)
    assert len({row['mean_accuracy'] for row in rows}) > 1


def test_failed_runs_are_listed_and_stop_no_other(swept):
    folder, status, output = swept
    assert status == 1
    said = "protocol 'official' has no split 'nothing', only ['test', 'train', 'trainval', 'val']"
    end = output.splitlines()[-3:]
    assert end[0] == 'Failed:'
    for line, seed in zip(end[1:], (0, 1)):
        assert line.startswith(f'broken, seed {seed}: ') and said in line
        assert line.endswith(f'(exit status 1, {folder}/broken-seed{seed}/train.log)')
    for count in range(1, 7):
        assert f'[{count}/6] ' in output
    assert 'left' in output and '[6/6] IMCNN 0.3, seed 1: ' in output


def test_sweep_ends_with_a_table(swept):
    folder, _, output = swept
    lines = [line for line in output.splitlines() if line.startswith(('variant ', 'ATTR Net  ', 'IMCNN 0.3  '))]
    attr_net, imcnn = [[row for row in rows_of(folder) if row['name'] == name] for name in ('ATTR Net', 'IMCNN 0.3')]
    first, second = attr_net[0]['mean_accuracy'], attr_net[1]['mean_accuracy']
    cells = lines[1].split()
    assert cells[2:7] == [
        '2',
        f'{attr_net[0]["val_accuracy"] / 2 + attr_net[1]["val_accuracy"] / 2:.2f}',
        f'{(first + second) / 2:.2f}',
        f'{abs(first - second) / 2**0.5:.2f}',
        '-',
    ]
    cells = lines[2].split()
    difference = (sum(row['mean_accuracy'] for row in imcnn) - first - second) / 2
    assert float(cells[6]) == pytest.approx(difference, abs=0.006)
    assert float(cells[7].strip('(')) <= float(cells[6]) <= float(cells[9].strip(')'))
    assert (folder / 'differences.png').stat().st_size > 5000
    markdown = (folder / 'table.md').read_text().splitlines()
    assert [cell.strip() for cell in markdown[3].strip('|').split('|')][:2] == ['IMCNN 0.3', '2']
    assert ' '.join(cells[6:10]) in markdown[3]
    single = {line.split('|')[1].strip(): line for line in markdown[markdown.index('', 5) + 1 :]}
    gain = np.mean([imcnn[i]['accuracy']['Male'] - attr_net[i]['accuracy']['Male'] for i in (0, 1)])
    assert list(single)[0] == 'attribute' and set(ATTRIBUTES) < set(single) and f' {gain:+.2f} |' in single['Male']
    last = [name for name in single if single[name].split('|')[2].strip() == 'yes']
    assert (
        last == [name for name in ATTRIBUTES if name in imcnn[0]['identity_stable']] == list(single)[2 : 2 + len(last)]
    )


def test_completed_runs_are_not_repeated(swept, faces, monkeypatch, capsys):
    folder, _, _ = swept
    before = (folder / 'results.jsonl').read_bytes()
    logs = {path: path.stat().st_mtime_ns for path in folder.glob('*/train.log')}
    runs, variants = in_process(folder, faces, monkeypatch)
    monkeypatch.setattr(subprocess, 'Popen', None)
    assert runs.run() == {}
    assert f'4 runs, 4 of them already in {folder}/results.jsonl' in capsys.readouterr().out
    assert (folder / 'results.jsonl').read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in folder.glob('*/train.log')} == logs


def test_a_missing_or_truncated_row_is_restored_from_its_work_directory(swept, faces, monkeypatch, capsys):
    folder, _, _ = swept
    path = folder / 'results.jsonl'
    before = path.read_bytes()
    old = rows_of(folder)
    path.write_bytes(before[: -len(before.splitlines()[-1]) // 2])
    assert len(read_rows(path)) == 3 and 'was skipped' in capsys.readouterr().err
    runs, _ = in_process(folder, faces, monkeypatch)
    assert runs.run() == {}
    printed = capsys.readouterr()
    assert 'the last line is truncated and was removed' in printed.err
    assert '4 runs, 3 of them already in' in printed.out and '[1/1] IMCNN 0.3, seed 1' in printed.out
    new = rows_of(folder)
    assert new[:3] == old[:3]
    assert new[3] == old[3] | dict(resumed=True, seconds=new[3]['seconds'])
    log = (folder / 'imcnn_0.3-seed1' / 'train.log').read_text()
    assert 'resumed epoch: 1' in log and log.count('Epoch(train)') == 1
    # A resumed run does not count for the minutes.
    cells = SweepTable(group_rows(new[3:])).cells()
    assert cells[1][:2] == ('IMCNN 0.3', '1') and cells[1][-1] == '-'


def test_another_config_does_not_resume_from_this_ones_checkpoint(swept, faces, monkeypatch):
    folder, _, _ = swept
    monkeypatch.chdir(REPOSITORY)
    changed = parse_variant(ATTR_NET, [*OPTIONS, 'optim_wrapper.optimizer.lr=0.5'])
    runs = Sweep([changed], (0,), folder, folder / 'results.jsonl', 'none.py', str(faces))
    with pytest.raises(ConfigError, match='attr_net-seed0 has checkpoints of another config'):
        runs.run()


def test_a_work_directory_is_locked(faces, tmp_path, monkeypatch):
    script = tmp_path / 'train.py'
    script.write_text('import time\ntime.sleep(60)\n')
    monkeypatch.chdir(REPOSITORY)
    variant = parse_variant(ATTR_NET, OPTIONS)
    first, second = (Sweep([variant], (0,), tmp_path, tmp_path / 'rows', script) for _ in range(2))
    (tmp_path / 'attr_net-seed0').mkdir()
    with open(tmp_path / 'attr_net-seed0' / 'train.log', 'ab') as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        [said] = first.run().values()
    assert 'is in use by another process' in said
    # Stopping a sweep stops its runs.
    monkeypatch.setattr('imcnn_plugin.experiments.sweep.wait', lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(second, '_stop', lambda stop=second._stop: (wait_for(lambda: second.running), stop()))
    with pytest.raises(KeyboardInterrupt):
        second.run()
    assert not second.running and not read_rows(tmp_path / 'rows')


def wait_for(condition, seconds=20):
    for _ in range(seconds * 100):
        if condition():
            return
        time.sleep(0.01)
    raise TimeoutError


@pytest.mark.parametrize(
    'save_best, names, expected',
    [
        ('attr/mean_accuracy', ['best_attr_mean_accuracy_epoch_1.pth'], 82),
        ('attr/accuracy/Male', ['best_attr_accuracy_Male_epoch_2.pth'], 81),
        # With several metrics the first decides, to whose file best.pth is the link.
        (['attr/mAP', 'attr/mean_accuracy'], ['best_attr_mAP_epoch_2.pth', 'best_attr_mean_accuracy_epoch_1.pth'], 81),
        ('auto', ['best_attr_mean_accuracy_epoch_1.pth'], 82),
        # It is in another folder.
        ('attr/mAP', [], 81),
        ('attr/accuracy/Male', [], None),
        ('attr/mean_accuracy', ['best_attr_mean_accuracy_iter_2.pth'], 82),
        (None, [], 80),
    ],
)
def test_a_row_has_the_validation_of_the_epoch_that_was_tested(tmp_path, save_best, names, expected):
    path = tmp_path / '20260101_000000' / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    found = [(82, 10), (81, 30), (80, 20)]
    lines = [{'attr/mean_accuracy': a, 'attr/mAP': b, 'step': epoch} for epoch, (a, b) in enumerate(found, 1)]
    lines += [dict(loss_attr=1, epoch=epoch, step=epoch) for epoch in (1, 2, 3)]
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    for name in names:
        Path(tmp_path, name).write_bytes(b'')
    if names:
        Path(tmp_path, 'best.pth').symlink_to(names[0])
    config = dict(default_hooks=dict(checkpoint=dict(save_best=save_best)))
    assert _validation_accuracy(tmp_path, config) == expected
    assert _validation_accuracy(tmp_path / 'nowhere', config) is None


def test_two_runs_with_one_work_directory_are_rejected():
    variants = [Variant('lambda 1', CONFIG), Variant('Lambda_1', CONFIG)]
    with pytest.raises(ConfigError, match='lambda_1-seed0'):
        Sweep(variants, (0,), 'out', 'rows', 'train.py')
    with pytest.raises(ConfigError, match='lambda_1-seed0'):
        Sweep(variants[:1], (0, 0), 'out', 'rows', 'train.py')


def test_the_first_run_tells_how_long_a_sweep_takes(faces, monkeypatch, tmp_path):
    sweep, _ = in_process(tmp_path, faces, monkeypatch)
    log = sweep.jobs[0].folder / 'train.log'
    sweep.running = {sweep.jobs[0]: None}
    # It has not started to train.
    assert sweep._first_estimate(4, 5) is None
    log.parent.mkdir()
    log.write_text('Epoch(train) [1][50/99]  eta: 0:09:00  time: 1\nEpoch(val) [1][50/60]  eta: 0:00:01\n')
    assert sweep._first_estimate(4, 60) == 540 + 3 * 600
    sweep.at_once = 2
    assert sweep._first_estimate(4, 60) == 540 + 600
    log.write_text('Epoch(train) [1][50/99]  lr: 1  eta: 1 day, 0:00:30  time: 1\n')
    assert sweep._first_estimate(1, 60) == 24 * 3600 + 30
