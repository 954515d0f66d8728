from .checkpoints import newest_checkpoint
from .id_net import fit_attributes
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
    'build_runner',
    'choose_record',
    'drop_identity_head',
    'fit_attributes',
    'load_config',
    'load_model',
    'newest_checkpoint',
    'open_part',
    'predict_person',
    'predict_samples',
    'prepare_batch',
    'split_names',
    'train_and_test',
]
