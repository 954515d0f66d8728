from .runner import build_runner, drop_identity_head, load_config, test_best
from .samples import predict_samples

__all__ = ['build_runner', 'drop_identity_head', 'load_config', 'predict_samples', 'test_best']
