from .album import Album
from .album_fitting import fit_album
from .calibration import calibrate
from .checkpoint_file import save_checkpoint
from .checkpoints import newest_checkpoint
from .export import export_onnx
from .fast_inference import AttributePredictor, optimize_for_inference
from .inferencer import FaceAttributeInferencer
from .loading import (
    choose_record,
    load_model,
    open_part,
    prepare_batch,
    split_names,
)
from .person_predictions import predict_person
from .photo_inference import infer_photos
from .photos import list_photos, read_photo
from .publish import publish
from .runner import build_runner, drop_identity_head, leave_processes, load_config, train_and_test
from .samples import predict_samples

__all__ = [
    'Album',
    'AttributePredictor',
    'FaceAttributeInferencer',
    'build_runner',
    'calibrate',
    'choose_record',
    'drop_identity_head',
    'export_onnx',
    'fit_album',
    'infer_photos',
    'leave_processes',
    'list_photos',
    'load_config',
    'load_model',
    'newest_checkpoint',
    'open_part',
    'optimize_for_inference',
    'predict_person',
    'predict_samples',
    'prepare_batch',
    'publish',
    'read_photo',
    'save_checkpoint',
    'split_names',
    'train_and_test',
]
