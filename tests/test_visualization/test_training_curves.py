import numpy as np
import pytest

from imcnn_plugin.engine.training_log import TrainingLog
from imcnn_plugin.visualization import plot_training_curves

EPOCHS = np.array([1.0, 2.0])


def make_log(train=(), val=()):
    curves = [{key: (EPOCHS, np.array([i + 1.0, i])) for i, key in enumerate(keys)} for keys in (train, val)]
    return TrainingLog(*curves, ('20260101_000000',), 'epoch')


@pytest.mark.parametrize(
    'keys, shown',
    [
        (['loss_attr', 'loss_id', 'loss'], ['LOSS_ATTR', 'λ LOSS_ID']),
        (['loss', 'loss_attr'], ['LOSS_ATTR']),
        (['loss'], ['loss']),
    ],
)
def test_the_total_loss_is_shown_only_without_its_terms(keys, shown):
    [(figure, caption)] = plot_training_curves(make_log(keys))
    assert [line.get_label() for line in figure.axes[0].lines] == shown
    assert caption == 'Training losses, mean of each epoch'


def test_accuracy_is_shown_with_the_baseline_and_then_the_other_metrics():
    log = make_log(val=['mean_accuracy', 'majority_baseline', 'mean_balanced_accuracy', 'mean_f1'])
    (accuracy, caption), (metrics, _) = plot_training_curves(log)
    curve, baseline = accuracy.axes[0].lines
    assert curve.get_xydata().tolist() == [[1, 1], [2, 0]] and list(baseline.get_ydata()) == [1, 1]
    assert caption == 'Validation: mean accuracy, 0.00 % at the end'
    assert [line.get_label() for line in metrics.axes[0].lines] == ['balanced accuracy', 'F1']
    assert list(plot_training_curves(make_log())) == []
