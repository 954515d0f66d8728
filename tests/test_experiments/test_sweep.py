"""A sweep as a user runs it, with real trainings of a tiny network on drawn faces."""

import fcntl
import json
import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from commands import CONFIG, IDENTITIES, REPOSITORY, TINY, start

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.errors import ConfigError, DataError
from imcnn_plugin.experiments import sweep
from imcnn_plugin.experiments.job import Job, folder_name
from imcnn_plugin.experiments.results_file import (
    append_row,
    group_rows,
    make_row,
    pack_counts,
    read_rows,
    unpack_counts,
)
from imcnn_plugin.experiments.results_table import SweepTable
from imcnn_plugin.experiments.variant import Variant, choose_baseline, hash_config, lambda_variants, parse_variant

OPTIONS = [*TINY, IDENTITIES, 'train_cfg.max_epochs=1', 'param_scheduler.T_max=1']
ATTR_NET = f'ATTR Net={CONFIG} model.head.id_head=None'
IMCNN = f'IMCNN 0.3={CONFIG} model.head.loss.id_weight=0.3'


def run(out, faces, *arguments):
    """A sweep's exit status and what it printed."""
    command = ['tools/sweep.py', *arguments, '--out', out, '--results', out / 'results.jsonl', '--data-root', faces]
    with start(*command, '--cfg-options', *OPTIONS, OMP_NUM_THREADS='1') as process:
        output, _ = process.communicate(timeout=300)
    return process.returncode, output


@pytest.fixture(scope='module')
def swept(faces, tmp_path_factory):
    """A folder after a sweep of two variants and one that cannot be trained, and how it ended."""
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
    return sweep.Sweep(variants, (0, 1), folder, folder / 'results.jsonl', script, str(faces)), variants


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
        for key in ('lasting', 'checksums', 'split', 'num_images', 'versions'):
            assert row[key] == report[key]
        counts = unpack_counts(row['by_identity'], ATTRIBUTES, ['Male', 'Smiling'])
        for key in ('correct', 'labelled'):
            persons = report['by_identity'][key]
            assert counts[key].tolist() == np.add(persons['Male'], persons['Smiling']).tolist()
        log = (folder / folder_name(Variant(row['name'], CONFIG), row['seed']) / 'train.log').read_text()
        [val] = re.findall(r'Epoch\(val\) .* attr/mean_accuracy: ([0-9.]+)', log)
        assert row['val_accuracy'] == pytest.approx(float(val), abs=1e-4)
        assert row['agreement'] == report['means']['agreement'] and row['seconds'] > 1 and not row['resumed']
    assert str(folder) not in (folder / 'results.jsonl').read_text() and '"/' not in json.dumps(rows)
    assert len({row['mean_accuracy'] for row in rows}) > 1


def test_what_fails_is_named_and_stops_nothing(swept):
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


def test_ends_in_a_table(swept):
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
    assert last == [name for name in ATTRIBUTES if name in imcnn[0]['lasting']] == list(single)[2 : 2 + len(last)]


def test_what_is_there_is_not_trained_again(swept, faces, monkeypatch, capsys):
    folder, _, _ = swept
    before = (folder / 'results.jsonl').read_bytes()
    logs = {path: path.stat().st_mtime_ns for path in folder.glob('*/train.log')}
    runs, variants = in_process(folder, faces, monkeypatch)
    monkeypatch.setattr(subprocess, 'Popen', None)
    assert runs.run() == {}
    assert f'Runs: 4, of which {folder}/results.jsonl has 4' in capsys.readouterr().out
    assert (folder / 'results.jsonl').read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in folder.glob('*/train.log')} == logs


def test_a_row_that_is_missing_or_cut_off_is_made_from_its_work_folder(swept, faces, monkeypatch, capsys):
    folder, _, _ = swept
    path = folder / 'results.jsonl'
    before = path.read_bytes()
    old = rows_of(folder)
    path.write_bytes(before[: -len(before.splitlines()[-1]) // 2])
    assert len(read_rows(path)) == 3 and 'is left out' in capsys.readouterr().err
    runs, _ = in_process(folder, faces, monkeypatch)
    assert runs.run() == {}
    printed = capsys.readouterr()
    assert 'the last line was cut off and is removed' in printed.err
    assert 'results.jsonl has 3' in printed.out and '[1/1] IMCNN 0.3, seed 1' in printed.out
    new = rows_of(folder)
    assert new[:3] == old[:3]
    assert new[3] == old[3] | dict(resumed=True, seconds=new[3]['seconds'])
    log = (folder / 'imcnn_0.3-seed1' / 'train.log').read_text()
    assert 'resumed epoch: 1' in log and log.count('Epoch(train)') == 1
    # The minutes of a run that was only finished say nothing.
    cells = SweepTable(group_rows(new[3:])).cells()
    assert cells[1][:2] == ('IMCNN 0.3', '1') and cells[1][-1] == '-'


def test_another_config_is_another_row_and_does_not_go_on_from_this_ones_weights(swept, faces, monkeypatch):
    folder, _, _ = swept
    monkeypatch.chdir(REPOSITORY)
    changed = parse_variant(ATTR_NET, [*OPTIONS, 'optim_wrapper.optimizer.lr=0.5'])
    runs = sweep.Sweep([changed], (0,), folder, folder / 'results.jsonl', 'none.py', str(faces))
    with pytest.raises(ConfigError, match='attr_net-seed0 has checkpoints of another config'):
        runs.run()


def test_a_folder_is_trained_in_once_at_a_time(faces, tmp_path, monkeypatch):
    script = tmp_path / 'train.py'
    script.write_text('import time\ntime.sleep(60)\n')
    monkeypatch.chdir(REPOSITORY)
    variant = parse_variant(ATTR_NET, OPTIONS)
    first, second = (sweep.Sweep([variant], (0,), tmp_path, tmp_path / 'rows', script) for _ in range(2))
    (tmp_path / 'attr_net-seed0').mkdir()
    with open(tmp_path / 'attr_net-seed0' / 'train.log', 'ab') as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        [said] = first.run().values()
    assert 'is being trained in by another process' in said
    # What stops a sweep stops its trainings.
    monkeypatch.setattr(sweep, 'as_completed', lambda futures: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(second, '_stop', lambda stop=second._stop: (wait_for(lambda: second.running), stop()))
    with pytest.raises(KeyboardInterrupt):
        second.run()
    assert not second.running and not (tmp_path / 'rows').exists()


def wait_for(condition, seconds=20):
    for _ in range(seconds * 100):
        if condition():
            return
        time.sleep(0.01)
    raise TimeoutError


def test_hash_is_that_of_what_is_trained(monkeypatch, tmp_path):
    monkeypatch.chdir(REPOSITORY)
    same = hash_config(CONFIG, [])
    # The last two are what a machine with a GPU sets by itself, and what the config has already.
    for option in (
        'randomness.seed=3',
        f'data_root={tmp_path}',
        'work_dir=x',
        'train_dataloader.pin_memory=True',
        'param_scheduler.T_max=8',
    ):
        assert hash_config(CONFIG, [option]) == same
    monkeypatch.setenv('CELEBA_ROOT', str(tmp_path))
    assert hash_config(str(REPOSITORY / CONFIG), []) == same
    assert hash_config(CONFIG, ['model.head.loss.id_weight=0.3']) != same
    assert hash_config(CONFIG, ['train_dataloader.batch_size=32']) != same
    assert hash_config(CONFIG, ['optim_wrapper.type=BF16OptimWrapper']) != same


def test_lambdas_are_variants(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    zero, third = lambda_variants(['0', '0.3'], CONFIG, OPTIONS)
    assert zero.name == 'lambda 0' and zero.options == (*OPTIONS, 'model.head.id_head=None')
    assert third.name == 'lambda 0.3' and third.options == (*OPTIONS, 'model.head.loss.id_weight=0.3')
    # Names say nothing of what is trained.
    assert zero.config_hash == parse_variant(ATTR_NET, OPTIONS).config_hash
    assert third.config_hash == parse_variant(IMCNN, OPTIONS).config_hash
    with pytest.raises(ConfigError, match="lambda 'x' is not a number"):
        lambda_variants(['x'], CONFIG)


@pytest.mark.parametrize(
    'text', ['', 'name', 'name=', f'={CONFIG}', f'a={CONFIG} lr', f'a={CONFIG} b c=d', f'a={CONFIG} "lr=1', 'a=no.py']
)
def test_variants_that_cannot_be_read_are_refused(text, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(ConfigError, match='expected NAME=CONFIG|cannot be read'):
        parse_variant(text)


def test_an_option_may_name_the_seed(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    variant = parse_variant(f'second={CONFIG} load_from=out/first-seed{{seed}}/epoch_1.pth')
    jobs = [Job(variant, seed, Path('out')) for seed in (0, 3)]
    assert [job.options for job in jobs] == [
        [f'load_from=out/first-seed{seed}/epoch_1.pth', f'randomness.seed={seed}'] for seed in (0, 3)
    ]
    assert variant.config_hash != parse_variant(f'second={CONFIG}').config_hash
    # Also where the config has a number.
    variant = parse_variant(f'split={CONFIG} train_dataloader.batch_size=1{{seed}}')
    assert Job(variant, 6, Path('out')).options[0] == 'train_dataloader.batch_size=16'
    assert variant.config_hash != parse_variant(f'split={CONFIG} train_dataloader.batch_size=10').config_hash
    with pytest.raises(ConfigError, match='give a number'):
        parse_variant(f'split={CONFIG} train_dataloader.batch_size=a{{seed}}')


@pytest.mark.parametrize(
    'save_best, expected',
    [
        ('attr/mean_accuracy', 82),
        ('attr/mAP', 81),
        (['attr/mAP'], 81),
        (['attr/mAP', 'attr/mean_accuracy'], 80),
        ('auto', 82),
        (None, 80),
    ],
)
def test_a_row_has_the_validation_of_the_epoch_that_was_tested(tmp_path, save_best, expected):
    path = tmp_path / '20260101_000000' / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    found = [(82, 10), (81, 30), (80, 20)]
    lines = [{'attr/mean_accuracy': a, 'attr/mAP': b, 'step': epoch} for epoch, (a, b) in enumerate(found, 1)]
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    report = dict(config=dict(default_hooks=dict(checkpoint=dict(save_best=save_best))))
    assert sweep.validation_of_tested(tmp_path, report) == expected
    assert sweep.validation_of_tested(tmp_path / 'nowhere', report) is None


def test_counts_of_many_images_are_kept():
    # Those of unknown identity are one person's.
    persons = dict(identity=[-1, 4], correct=dict(Male=[90000, 1]), labelled=dict(Male=[100000, 2]))
    found = unpack_counts(pack_counts(persons), ['Male'], ['Male'])
    assert found['correct'].tolist() == [90000, 1] and found['labelled'].tolist() == [100000, 2]


def test_two_runs_of_one_folder_are_refused():
    variants = [Variant('lambda 1', CONFIG), Variant('Lambda_1', CONFIG)]
    with pytest.raises(ConfigError, match='lambda_1-seed0'):
        sweep.Sweep(variants, (0,), 'out', 'rows', 'train.py')
    with pytest.raises(ConfigError, match='lambda_1-seed0'):
        sweep.Sweep(variants[:1], (0, 0), 'out', 'rows', 'train.py')


def counts(male, smiling, labelled=(20, 20, 20)):
    """The figures of three persons with 20 labels of each attribute."""
    correct = dict(Male=male, Smiling=smiling)
    return dict(identity=[3, 5, 8], correct=correct, labelled=dict(Male=labelled, Smiling=[20, 20, 20]))


def row(name, seed, smiling, **changes):
    """A row of three persons, of whose labels of Male 10 were predicted right for each."""
    values = dict(name=name, config_hash='a', seed=seed, mean_accuracy=25 + sum(smiling) / 1.2, val_accuracy=70.0)
    values |= dict(accuracy=dict(Male=50.0, Smiling=sum(smiling) / 0.6), lasting=['Male'])
    values |= dict(agreement=80.0, label_agreement=85.0, seconds=90, resumed=False)
    values |= dict(split='test', num_images=60, checksums=dict(images='x'))
    return values | dict(by_identity=pack_counts(counts([10, 10, 10], smiling))) | changes


def test_runs_tested_on_other_images_are_not_compared():
    rows = [
        row('A', 0, [10, 11, 12]),
        row('B', 0, [11, 12, 14]),
        row('C', 0, [13, 13, 13], checksums=dict(images='y')),
    ]
    other = pack_counts(counts([10, 10, 10], [10, 10, 10], labelled=[10, 20, 20]))
    rows += [row('D', 0, [10, 11, 13]), row('D', 1, [10, 10, 10], by_identity=other)]
    table = SweepTable(group_rows(rows))
    cells, remarks = table.cells(), table.remarks()
    nothing = ('-', '-', '-')
    # Of 120 and of 60 labels; the persons differ by 1, 1 and 2 of their 40 and of their 20.
    found = ('+3.33 (+2.50 to +5.00)', '+0.00 (+0.00 to +0.00)', '+6.67 (+5.00 to +10.00)')
    assert [tuple(cell[5:8]) for cell in cells[1:]] == [nothing, found, nothing, nothing]
    assert cells[2][2:5] == ('70.00', f'{25 + 37 / 1.2:.2f}', '-')
    assert remarks[:2] == [
        'C is not compared with A: tested on other images (seed 0)',
        'D is not compared with A: tested on other images (seed 1)',
    ]
    assert remarks[2] == 'A was tested on split test: 60 images of 3 persons, whose labels agree to 85.00 %.'
    assert 'Labels of 1 attributes stay with a person' in remarks[4] and ': Male. The other 1 pass.' in remarks[4]
    assert [cell[5][:5] for cell in SweepTable(group_rows(rows), 'B').cells()[1:]] == ['-3.33', '-', '-', '-']
    table = SweepTable(group_rows(rows), 'E')
    cells, remarks = table.cells(), table.remarks()
    assert {cell[5] for cell in cells[1:]} == {'-'}
    assert remarks[0] == "There is no row of the baseline 'E', so nothing is compared." and len(remarks) == 2
    # A baseline that was itself tested on two sets of images is compared with nothing.
    table = SweepTable(group_rows(rows), 'D')
    cells, remarks = table.cells(), table.remarks()
    assert {cell[5] for cell in cells[1:]} == {'-'} and 'D is not compared with D' in ' '.join(remarks)
    # Nor are its attributes.
    for baseline, others in (('A', ['B']), ('D', [])):
        cells = SweepTable(group_rows(rows), baseline).attribute_cells()
        assert list(cells[0]) == ['attribute', 'stays', f'{baseline} (%)', *others]


def test_the_baseline_is_the_first_variant_also_where_it_failed():
    variants = [Variant('A', CONFIG), Variant('B', CONFIG)]
    assert choose_baseline(None, variants) == 'A' and choose_baseline('B', variants) == 'B'
    assert choose_baseline(None, []) is None and choose_baseline('C', []) == 'C'
    with pytest.raises(ConfigError, match="the baseline 'C' is none of the variants"):
        choose_baseline('C', variants)


def test_rows_of_two_configs_of_one_name_are_kept_apart():
    rows = [row('A', 0, [10, 11, 12]), row('A', 0, [1, 2, 3], config_hash='b'), row('B', 0, [11, 12, 13])]
    assert {name: len(group) for name, group in group_rows(rows).items()} == {'A (a)': 1, 'A (b)': 1, 'B': 1}
    variants = [Variant('B', CONFIG, (), 'a'), Variant('A', CONFIG, (), 'b')]
    assert group_rows(rows, variants) == {'B': rows[2:], 'A': rows[1:2]}


def test_a_results_file_is_whole_lines(tmp_path, capsys):
    path = tmp_path / 'new' / 'rows.jsonl'
    assert read_rows(path) == []
    first, second = row('A', 0, [10, 11, 12]), row('A', 1, [10, 11, 13])
    for value in (first, first | dict(seconds=1), second):
        append_row(path, value)
    assert path.read_bytes().count(b'\n') == 3 and read_rows(path, mend=True) == [first, second]
    # An editor's missing end of line costs no row.
    path.write_bytes(path.read_bytes().rstrip())
    assert read_rows(path) == [first, second]
    assert read_rows(path, mend=True) == [first, second] and path.read_bytes().endswith(b'}\n')
    assert capsys.readouterr().err == ''
    path.write_bytes(b'{"name":1}\n' + path.read_bytes())
    with pytest.raises(DataError, match='rows.jsonl, line 1: not a row of a sweep'):
        read_rows(path)
    with pytest.raises(DataError, match='cannot be written'):
        append_row(tmp_path, first)


def test_a_row_of_549_persons_is_small_and_names_no_folders(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    options = ('load_from=/home/me/runs/first.pth', 'files=["/mnt/a/b.txt","c/d.txt"]', 'p=a-{seed}/x', 'q=~/x/y')
    values = dict(accuracy=100 / 3)
    # As many images as persons have in the small subset, one label in nine wrong.
    rng = np.random.default_rng(0)
    images = rng.geometric(0.36, 549)
    report = dict(
        mean_accuracy=100 / 3,
        means=dict(agreement=200 / 3, label_agreement=200 / 3),
        protocol='official',
        split='test',
        num_images=1530,
        attributes={name: values for name in ATTRIBUTES},
        lasting=['Male', 'Young'],
        by_identity=dict(
            identity=list(range(9600, 10149)),
            correct=dict(zip(ATTRIBUTES, (images - rng.binomial(images, 0.11, (40, 549))).tolist())),
            labelled=dict.fromkeys(ATTRIBUTES, images.tolist()),
        ),
        checksums=dict(annotations='0' * 64, images='0' * 64),
        versions=dict(torch='2.11.0', mmengine='0.10.7', mmcv='2.2.0', mmpretrain='1.2.0', numpy='2.4.6'),
    )
    job = Job(Variant('A', str(tmp_path / 'configs' / 'a.py'), options, '0' * 16), 0, tmp_path)
    made = make_row(job, report, None, 1234.5678, False)
    assert made['val_accuracy'] is None
    assert made['config'] == 'configs/a.py' and made['accuracy']['Male'] == 33.3333
    assert made['options'] == ['load_from=first.pth', 'files=["b.txt","c/d.txt"]', 'p=a-{seed}/x', 'q=y']
    append_row('rows', made)
    assert (tmp_path / 'rows').stat().st_size < 12000
