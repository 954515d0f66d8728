import numpy as np

from imcnn_plugin.visualization import plot_track_curves, save_figure


def test_attributes_that_cross_their_threshold_are_drawn_with_gaps(tmp_path):
    times = [0, 0.2, 0.4, 5, 5.2]
    probabilities = dict(
        Smiling=[0.1, 0.9, 0.9, 0.1, 0.1], Male=[0.8, 0.9, 0.8, 0.9, 0.8], Young=[0.5] * 5, Wearing_Hat=[0.1] * 5
    )
    thresholds = dict(Smiling=0.5, Male=0.5, Young=0.6, Wearing_Hat=0.5)
    figure = plot_track_curves(times, probabilities, thresholds, r'a \$1.mp4')
    [axis] = figure.axes
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ['Smiling', 'Male', 'Young']
    thin, thick = axis.lines[:2]
    assert np.isnan(thin.get_xdata()).tolist() == [False, False, False, True, False, False]
    assert np.isnan(thick.get_ydata()).tolist() == [True, False, False, True, True, True]
    save_figure(figure, tmp_path / 'curves.png')


def test_at_most_six_are_drawn():
    probabilities = {f'attribute {i}': [0.4, 0.6] for i in range(9)}
    figure = plot_track_curves([0, 1], probabilities, dict.fromkeys(probabilities, 0.5), 'many')
    assert len(figure.axes[0].get_legend().get_texts()) == 6
