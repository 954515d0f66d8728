"""Predictions: photos to attributes, and the images of a dataset."""

from .album import Album
from .align_folder import align_folder
from .batch_inference import format_results, infer_photos
from .detector_base import DetectorBase, Face
from .detector_files import detector_files
from .face_alignment import SIZE, TEMPLATE, align_face
from .face_detection import FaceDetector
from .face_quality import face_quality
from .fit_album import fit_album
from .fused_model import AttributePredictor, optimize_for_inference
from .identity_predictions import predict_identity
from .inferencer import FaceAttributeInferencer
from .label_photos import label_photos
from .layer_maps import layer_maps
from .lnets_anet import LNetsANet
from .mtcnn_detector import MTCNNDetector
from .onnx_network import OnnxNetwork
from .photo_groups import group_by_person
from .photo_pipeline import input_size, pipeline_after_loading
from .photos import is_single, list_photos, read_photo, read_reduced, read_rgb, register_heic
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
from .response_windows import Response, WindowRule, fit_fixed, fit_rule, place_fixed, response_maps, window_overlap
from .verify_pairs import pairs_of_half, verify_pairs
from .video import infer_videos
from .video_files import is_video, read_frames

__all__ = [
    'Album', 'AttributePredictor', 'DetectorBase', 'Face', 'FaceAttributeInferencer', 'FaceDetector', 'LNetsANet',
    'MTCNNDetector', 'OnnxNetwork', 'Response', 'SIZE', 'TEMPLATE', 'WindowRule', 'align_face', 'align_folder',
    'choose_record', 'detector_files', 'face_quality', 'fit_album', 'fit_fixed', 'fit_rule', 'format_results',
    'group_by_person', 'infer_photos', 'infer_videos', 'input_size', 'is_single', 'is_video', 'label_photos',
    'layer_maps', 'list_photos', 'open_fitting_loaders', 'open_loader', 'open_trained', 'optimize_for_inference',
    'pairs_of_half', 'pipeline_after_loading', 'place_fixed', 'predict_for_fitting', 'predict_identity',
    'predict_logits', 'predict_records', 'predict_samples', 'prepare_batch', 'read_frames', 'read_photo',
    'read_reduced', 'read_rgb', 'register_heic', 'response_maps', 'verify_pairs', 'window_overlap'
]  # fmt: skip
