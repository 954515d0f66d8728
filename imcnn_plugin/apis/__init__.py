from .album import Album
from .batch_inference import infer_photos
from .fit_album import fit_album
from .fused_model import AttributePredictor, optimize_for_inference
from .inferencer import FaceAttributeInferencer
from .person_predictions import predict_person
from .photos import list_photos, read_photo
from .predict_split import choose_record, load_model, predict_samples, prepare_batch, split_names

__all__ = [
    'Album',
    'AttributePredictor',
    'FaceAttributeInferencer',
    'choose_record',
    'fit_album',
    'infer_photos',
    'list_photos',
    'load_model',
    'optimize_for_inference',
    'predict_person',
    'predict_samples',
    'prepare_batch',
    'read_photo',
    'split_names',
]
