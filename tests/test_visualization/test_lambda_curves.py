import json

import numpy as np
import pytest
from PIL import Image

from imcnn_plugin.errors import DataError
from imcnn_plugin.visualization import draw_lambda_curves, read_curves
from imcnn_plugin.visualization.lambda_curves import Curves, plot_lambda_curves


def write_start(folder, time, epochs, loss, accuracy, tail=''):
    """What mmengine logs of some epochs with two logged steps of ten each."""
    lines = []
    for epoch in epochs:
        for step, extra in ((10 * epoch - 5, 0.5), (10 * epoch, -0.5)):
            values = dict(loss=99.0, loss_attr=loss - epoch + extra, loss_id=1.0)
            lines.append(dict(values, epoch=epoch, iter=step, step=step))
        lines.append({'attr/mean_accuracy': accuracy + epoch, 'attr/mAP': 1.0, 'step': epoch})
    path = folder / time / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines) + tail)
    return path


def test_reads_the_mean_loss_of_an_epoch_and_its_accuracy(tmp_path):
    write_start(tmp_path, '20260101_000000', (1, 2, 3), loss=20, accuracy=80)
    run = read_curves('1', tmp_path)
    assert run.train_epochs.tolist() == run.val_epochs.tolist() == [1, 2, 3]
    assert run.loss.tolist() == [19, 18, 17] and run.accuracy.tolist() == [81, 82, 83]


def test_a_later_start_counts_from_its_first_epoch(tmp_path):
    write_start(tmp_path, '20260103_000000', (3, 4), loss=40, accuracy=60)
    write_start(tmp_path, '20260101_000000', (1, 2, 3), loss=20, accuracy=80)
    # It logged nothing.
    write_start(tmp_path, '20260104_000000', (), loss=0, accuracy=0)
    run = read_curves('1', tmp_path)
    assert run.train_epochs.tolist() == run.val_epochs.tolist() == [1, 2, 3, 4]
    assert run.loss.tolist() == [19, 18, 37, 36] and run.accuracy.tolist() == [81, 82, 63, 64]
    # What was begun anew replaces all, longer or not.
    write_start(tmp_path, '20260105_000000', (1,), loss=50, accuracy=50)
    assert read_curves('1', tmp_path).loss.tolist() == [49]


def test_reads_a_training_that_is_running_and_names_a_broken_line(tmp_path):
    write_start(tmp_path / 'a', '1', (1,), loss=20, accuracy=80, tail='{"loss_at')
    assert read_curves('1', tmp_path / 'a').loss.tolist() == [19]
    path = write_start(tmp_path / 'b', '1', (1,), loss=20, accuracy=80, tail='{"loss_at\n')
    with pytest.raises(DataError, match=f'{path}, line 4: expected a line of'):
        read_curves('1', tmp_path / 'b')
    with pytest.raises(DataError, match='no <time>/vis_data/scalars.json there'):
        read_curves('1', tmp_path / 'nowhere')
    write_start(tmp_path / 'c', '1', (), loss=20, accuracy=80, tail='{"loss": 1.0, "epoch": 1, "step": 1}\n')
    with pytest.raises(DataError, match="no line has 'epoch' and 'loss_attr'"):
        read_curves('1', tmp_path / 'c')


def curves(name, loss, accuracy):
    epochs = np.arange(1.0, 4)
    return Curves(name, epochs, loss - epochs, epochs[: len(accuracy)], np.array(accuracy, float))


def test_shows_curves_and_the_last_accuracy_by_lambda():
    runs = [
        curves('40', 20, [80, 81, 82]),
        curves('ATTR Net', 19, [79, 80, 81]),
        curves('0', 18, [85, 86, 84]),
        curves('0', 17, [85, 86, 85]),
        # Not validated.
        curves('0.1', 16, []),
    ]
    losses, accuracies, by_lambda = plot_lambda_curves(runs).axes
    names = ['λ = 0', 'λ = 0', 'λ = 0.1', 'λ = 40', 'ATTR Net']
    assert [text.get_text() for text in losses.get_legend().get_texts()] == names
    drawn = {(line.get_label(), line.get_ydata()[0]): line for line in losses.lines}
    assert set(drawn) == {(name, loss) for name, loss in zip(names, (17, 16, 15, 19, 18))}
    assert drawn['λ = 40', 19].get_ydata().tolist() == [19, 18, 17]
    last = {line.get_label(): line.get_ydata().tolist() for line in accuracies.lines}
    assert last['ATTR Net'] == [79, 80, 81] and last['λ = 0.1'] == []
    means, *points = by_lambda.lines
    assert means.get_xydata().tolist() == [[0, 84.5], [40, 82]]
    assert [point.get_xydata().tolist()[0] for point in points] == [[0, 84], [0, 85], [40, 82]]
    colours = {line.get_ydata()[-1]: line.get_color() for line in accuracies.lines if len(line.get_ydata())}
    assert [point.get_color() for point in points] == [colours[84], colours[85], colours[82]]
    assert [text.get_text() for text in by_lambda.texts] == ['84.50', '82.00']
    assert by_lambda.get_xscale() == 'symlog' and by_lambda.get_xlim()[0] < 0 and by_lambda.get_xlim()[1] > 40


def test_draws_no_accuracy_by_lambda_without_a_lambda(tmp_path):
    assert len(plot_lambda_curves([curves('a', 20, [80]), curves('-1', 20, [80])]).axes) == 2
    draw_lambda_curves([curves('a', 20, [80, 81])], tmp_path / 'new' / 'curves.png')
    picture = np.asarray(Image.open(tmp_path / 'new' / 'curves.png').convert('RGB')).reshape(-1, 3).astype(int)
    assert (np.abs(picture - (0, 114, 178)).max(1) < 4).sum() > 2000
