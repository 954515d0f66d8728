from .attribute_correlation import choose_images, draw_attribute_correlation
from .feature_maps import draw_feature_maps, layer_maps
from .lambda_curves import draw_lambda_curves, read_curves
from .person_predictions import draw_person_predictions
from .prediction_sheet import draw_prediction_sheet
from .variant_differences import draw_sweep_differences

__all__ = [
    'choose_images',
    'draw_attribute_correlation',
    'draw_feature_maps',
    'draw_lambda_curves',
    'draw_person_predictions',
    'draw_prediction_sheet',
    'draw_sweep_differences',
    'layer_maps',
    'read_curves',
]
