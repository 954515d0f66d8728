import numpy as np
from PIL import Image

from imcnn_plugin.engine.training_log import TrainingLog
from imcnn_plugin.visualization import plot_lambda_curves, save_figure


def curves(name, loss, accuracy):
    epochs = np.arange(1.0, 4)
    val = dict(mean_accuracy=(epochs[: len(accuracy)], np.array(accuracy, float))) if accuracy else {}
    return name, TrainingLog(dict(loss_attr=(epochs, loss - epochs)), val, ('20260101_000000',), 'epoch')


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
    assert last['ATTR Net'] == [79, 80, 81] and 'λ = 0.1' not in last
    means, *points = by_lambda.lines
    assert means.get_xydata().tolist() == [[0, 84.5], [40, 82]]
    assert [point.get_xydata().tolist()[0] for point in points] == [[0, 84], [0, 85], [40, 82]]
    colors = {line.get_ydata()[-1]: line.get_color() for line in accuracies.lines if len(line.get_ydata())}
    assert [point.get_color() for point in points] == [colors[84], colors[85], colors[82]]
    assert [text.get_text() for text in by_lambda.texts] == ['84.50', '82.00']
    assert by_lambda.get_xscale() == 'symlog' and by_lambda.get_xlim()[0] < 0 and by_lambda.get_xlim()[1] > 40


def test_only_what_has_data_has_axes(tmp_path):
    assert len(plot_lambda_curves([curves('0', 20, []), curves('1', 20, [])]).axes) == 1
    assert len(plot_lambda_curves([curves('a', 20, [80]), curves('-1', 20, [80])]).axes) == 2
    save_figure(plot_lambda_curves([curves('a', 20, [80, 81])]), tmp_path / 'curves.png')
    picture = np.asarray(Image.open(tmp_path / 'curves.png').convert('RGB')).reshape(-1, 3).astype(int)
    assert (np.abs(picture - (0, 114, 178)).max(1) < 4).sum() > 2000
