from .id_net import fit_attributes
from .runner import build_runner, drop_identity_head, load_config, train_and_test
from .samples import predict_samples

__all__ = ['build_runner', 'drop_identity_head', 'fit_attributes', 'load_config', 'predict_samples', 'train_and_test']
