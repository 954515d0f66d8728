import difflib
import inspect
from pathlib import Path
from typing import Iterable, Optional, Union

from mmengine.config import Config
from mmengine.runner import Runner

from ..errors import ConfigError

# The keys that mmengine reads from a config and from its sections. It silently ignores unknown keys or adds them to a
# section, so a misspelled key would have no effect or the wrong one.
_KEYS = {
    '': [
        *inspect.signature(Runner).parameters,
        *('activation_checkpointing', 'compile', 'custom_imports', 'efficient_conv_bn_eval', 'find_unused_parameters'),
        *('model_wrapper_cfg', 'runner_type', 'sync_bn'),
    ],
    'auto_scale_lr': ['base_batch_size', 'enable'],
    'default_hooks': [
        *('checkpoint', 'logger', 'param_scheduler', 'runtime_info', 'sampler_seed', 'timer'),
        # Those of configs/_base_/default_runtime.py.
        *('attribute_report', 'bad_images', 'data_model_check', 'finite_loss', 'interrupt', 'speed', 'step_seed'),
        *('sync_buffers', 'visualization'),
    ],
    'env_cfg': ['cudnn_benchmark', 'dist_cfg', 'mp_cfg', 'resource_limit'],
    'optim_wrapper.paramwise_cfg': [
        *('bias_decay_mult', 'bias_lr_mult', 'bypass_duplicate', 'custom_keys', 'dcn_offset_lr_mult'),
        *('dwconv_decay_mult', 'flat_decay_mult', 'norm_decay_mult'),
    ],
}
# The minimum similarity of two names. At 0.85, no variable in any config of mmpretrain is mistaken for a key.
_CUTOFF = 0.85


def _check_keys(cfg: Config, path: Union[str, Path], written: Iterable[str]) -> None:
    """Rejects keys that look like misspellings of those that mmengine reads; other keys are allowed.

    Args:
        cfg: The config with its options.
        path: Its file, for messages.
        written: The keys in the file. An option must not be a misspelling of one of these either.

    Raises:
        ConfigError: A key is misspelled. The message names the key that was probably meant.
    """
    for key in cfg:
        if near := _near(key, [*written, *_KEYS['']]):
            raise ConfigError(f"--cfg-options {key}: {path} has no such key: did you mean '{near}'?")
    for name, known in _KEYS.items():
        section = dict(cfg)
        for part in name.split('.') if name else ():
            section = section.get(part) if isinstance(section, dict) else None
        for key in section if isinstance(section, dict) else ():
            if near := _near(key, known):
                raise ConfigError(f"{path}: '{key}' is no key of {name or 'a config'}: did you mean '{near}'?")


def _near(key: str, known: Iterable[str]) -> Optional[str]:
    """The known key that was probably meant; None if there is none or the key itself is known."""
    # A second hook may be checkpoint2.
    if str(key).rstrip('_0123456789') in known:
        return None
    return next(iter(difflib.get_close_matches(str(key), known, 1, _CUTOFF)), None)
