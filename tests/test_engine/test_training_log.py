import json

import pytest

from imcnn_plugin.engine.training_log import read_epoch_log, read_log
from imcnn_plugin.errors import DataError


def write_start(folder, time, lines, tail=''):
    path = folder / time / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines) + tail)
    return path


def lines_of(epochs, loss, accuracy):
    """What mmengine logs of some epochs with two logged steps each."""
    for epoch in epochs:
        for step, extra in ((2 * epoch - 1, 0.5), (2 * epoch, -0.5)):
            yield dict(loss=loss + 1, loss_attr=loss - epoch + extra, loss_id=1.0, lr=0.1, epoch=epoch, step=step)
        yield {'attr/mean_accuracy': accuracy + epoch, 'attr/accuracy/Male': 99.0, 'time': 1.0, 'step': epoch}


def test_a_later_start_counts_from_its_first_epoch(tmp_path):
    write_start(tmp_path, '20260102_000000', lines_of((3, 4), loss=40, accuracy=60), tail='{"loss": 1, "ep')
    write_start(tmp_path, '20260101_000000', lines_of((1, 2, 3), loss=20, accuracy=80))
    log = read_log(tmp_path)
    assert log.starts == ('20260101_000000', '20260102_000000') and log.unit == 'epoch' and log.last == 4
    assert set(log.train) == {'loss', 'loss_attr', 'loss_id'} and set(log.val) == {'mean_accuracy'}
    epochs, values = log.train['loss_attr']
    assert epochs.tolist() == [1, 2, 3, 4] and values.tolist() == [19, 18, 37, 36]
    assert log.val['mean_accuracy'][1].tolist() == [81, 82, 63, 64]
    # A run that was started from scratch replaces all, longer or not, but one that logged nothing does not.
    write_start(tmp_path, '20260103_000000', [])
    assert read_log(tmp_path).train['loss_attr'][1].tolist() == [19, 18, 37, 36]
    write_start(tmp_path, '20260104_000000', lines_of((1,), loss=50, accuracy=50))
    assert read_log(tmp_path).train['loss_attr'][1].tolist() == [49]


def test_a_training_may_count_iterations(tmp_path):
    lines = [dict(loss=5.0, step=10), dict(loss=4.0, step=20), {'attr/mean_accuracy': 80.0, 'step': 20}]
    write_start(tmp_path, '1', lines)
    log = read_log(tmp_path)
    assert (log.unit, log.last) == ('iteration', 20)
    assert [part.tolist() for part in log.train['loss']] == [[10, 20], [5, 4]]


@pytest.mark.parametrize('by_epoch', [False, True])
@pytest.mark.parametrize('prefix', ['attr', 'mine'])
def test_validations_of_a_run_that_counts_iterations_have_those(tmp_path, by_epoch, prefix):
    """mmengine writes 0 for each, the epoch; and epoch 1 with each loss if the log processor has by_epoch=True."""
    epoch = dict(epoch=1) if by_epoch else {}
    lines = [dict(loss=9.0, step=10, **epoch), dict(loss=8.0, step=20, **epoch)]
    lines += [{f'{prefix}/mean_accuracy': 70.0, 'step': 0}, dict(loss=7.0, step=30, **epoch)]
    lines += [dict(loss=6.0, step=40, **epoch), {f'{prefix}/mean_accuracy': 80.0, f'{prefix}/mAP': 50.0, 'step': 0}]
    write_start(tmp_path, '1', lines)
    log = read_log(tmp_path)
    assert (log.unit, log.last) == ('iteration', 40) and set(log.val) == {'mean_accuracy', 'mAP'}
    assert [part.tolist() for part in log.val['mean_accuracy']] == [[20, 40], [70, 80]]
    assert log.train['loss'][0].tolist() == [10, 20, 30, 40]


def test_a_training_may_have_logged_nothing(tmp_path):
    assert read_log(tmp_path) is None
    write_start(tmp_path, '1', [])
    log = read_log(tmp_path)
    assert (log.train, log.val, log.last) == ({}, {}, 0)


@pytest.mark.parametrize('line', ['{"loss', '[1]', '{"loss": "low", "step": 1}', '{"loss": 1.0}'])
def test_names_a_broken_line(tmp_path, line):
    path = write_start(tmp_path, '1', [dict(loss=5.0, step=10)], tail=line + '\n')
    with pytest.raises(DataError, match=f"{path}, line 2: expected a line of mmengine's scalars"):
        read_log(tmp_path)


def test_a_start_may_begin_with_the_validation_of_an_epoch_before(tmp_path):
    first, second = (list(lines_of(epochs, loss=20, accuracy=80)) for epochs in ((1, 2), (2, 3)))
    write_start(tmp_path, '1', first[:-1])
    # Its two lines of training are in the file before.
    write_start(tmp_path, '2', second[2:])
    log = read_log(tmp_path)
    epochs, values = log.train['loss_attr']
    assert epochs.tolist() == log.val['mean_accuracy'][0].tolist() == [1, 2, 3] and values.tolist() == [19, 18, 17]


def test_reads_losses_by_epoch_or_says_why_not(tmp_path):
    write_start(tmp_path / 'a', '1', lines_of((1,), loss=20, accuracy=80), tail='{"loss_at')
    assert read_epoch_log(tmp_path / 'a').train['loss_attr'][1].tolist() == [19]
    with pytest.raises(DataError, match='nowhere has no <time>/vis_data/scalars.json'):
        read_epoch_log(tmp_path / 'nowhere')
    for folder, line in dict(b=dict(loss=1.0, epoch=1, step=1), c=dict(loss_attr=1.0, step=1)).items():
        write_start(tmp_path / folder, '1', [line])
        with pytest.raises(DataError, match="no line with 'epoch' and 'loss_attr'"):
            read_epoch_log(tmp_path / folder)
