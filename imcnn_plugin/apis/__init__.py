"""Predictions: photos to attributes, and the images of a dataset."""

from .album import Album
from .batch_inference import infer_photos
from .face_alignment import SIZE, TEMPLATE, align_face
from .face_detection import Face, FaceDetector
from .fit_album import fit_album
from .fused_model import AttributePredictor, optimize_for_inference
from .identity_predictions import predict_identity
from .inferencer import FaceAttributeInferencer
from .label_photos import label_photos
from .layer_maps import layer_maps
from .photo_groups import group_by_person
from .photos import input_size, list_photos, pipeline_after_loading, read_photo, read_rgb
from .predict_split import (
    choose_record,
    open_fitting_loaders,
    open_loader,
    open_trained,
    predict_for_fitting,
    predict_logits,
    predict_records,
    predict_samples,
    prepare_batch,
)
from .video import infer_videos
from .video_files import is_video, read_frames

__all__ = [
    'Album', 'AttributePredictor', 'Face', 'FaceAttributeInferencer', 'FaceDetector', 'SIZE', 'TEMPLATE',
    'align_face', 'choose_record', 'fit_album', 'group_by_person', 'infer_photos', 'infer_videos', 'input_size',
    'is_video', 'label_photos', 'layer_maps', 'list_photos', 'open_fitting_loaders', 'open_loader', 'open_trained',
    'optimize_for_inference', 'pipeline_after_loading', 'predict_for_fitting', 'predict_identity',
    'predict_logits', 'predict_records', 'predict_samples', 'prepare_batch', 'read_frames', 'read_photo',
    'read_rgb'
]  # fmt: skip
