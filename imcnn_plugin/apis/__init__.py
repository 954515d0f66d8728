from .checkpoints import newest_checkpoint
from .fast_inference import AttributePredictor, optimize_for_inference
from .loading import (
    choose_record,
    load_model,
    open_part,
    prepare_batch,
    split_names,
)
from .person_predictions import predict_person
from .runner import build_runner, drop_identity_head, load_config, train_and_test
from .samples import predict_samples

__all__ = [
    'AttributePredictor',
    'build_runner',
    'choose_record',
    'drop_identity_head',
    'load_config',
    'load_model',
    'newest_checkpoint',
    'open_part',
    'optimize_for_inference',
    'predict_person',
    'predict_samples',
    'prepare_batch',
    'split_names',
    'train_and_test',
]
