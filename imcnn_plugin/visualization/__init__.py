"""Figures of arrays. Each ``plot_*`` function returns a ``matplotlib.figure.Figure``, which ``save_figure`` writes."""

from .attribute_correlation import choose_images, plot_attribute_correlation
from .face_overlay import MAX_SIDE, draw_faces, face_color
from .feature_maps import plot_feature_maps
from .figure_utils import save_figure, spaced, svg_uri, writable_figure
from .identity_predictions import plot_identity_predictions
from .lambda_curves import plot_lambda_curves
from .prediction_sheet import plot_prediction_sheet
from .reliability_diagram import plot_reliability
from .response_windows import plot_response_windows
from .roc_curves import plot_roc_curves
from .track_curves import plot_track_curves
from .training_curves import plot_training_curves
from .variant_differences import plot_variant_differences
from .video_overlay import draw_people

__all__ = [
    'MAX_SIDE', 'choose_images', 'draw_faces', 'draw_people', 'face_color', 'plot_attribute_correlation',
    'plot_feature_maps', 'plot_identity_predictions', 'plot_lambda_curves', 'plot_prediction_sheet',
    'plot_reliability', 'plot_response_windows', 'plot_roc_curves', 'plot_track_curves', 'plot_training_curves',
    'plot_variant_differences', 'save_figure', 'spaced', 'svg_uri', 'writable_figure'
]  # fmt: skip
