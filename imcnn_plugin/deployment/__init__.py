from .calibrate import calibrate
from .export import export_onnx
from .publish import publish

__all__ = [
    'calibrate',
    'export_onnx',
    'publish',
]
