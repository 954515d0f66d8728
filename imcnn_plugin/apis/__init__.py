from .runner import build_runner, drop_identity_head, evaluate_best, load_config
from .samples import predict_samples

__all__ = ['build_runner', 'drop_identity_head', 'load_config', 'predict_samples', 'evaluate_best']
