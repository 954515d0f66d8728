"""The pipeline of a config, for photos that are already read."""

from typing import Sequence, Tuple

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from mmpretrain.registry import TRANSFORMS

from ..errors import ConfigError, one_line

# Transforms that read files.
_READERS = ('LoadImageFromFile', 'LoadFaceFromFile')


def pipeline_after_loading(steps: Sequence[dict]) -> Compose:
    """Builds a config's pipeline without the transforms that read files, for photos that are already read."""
    transforms = []
    for step in steps:
        if step['type'].split('.')[-1] not in _READERS:
            transforms.append(TRANSFORMS.build(step))
        elif step.get('color_type') == 'grayscale':
            transforms.append(_to_gray)
    return Compose(transforms)


def _to_gray(results: dict) -> dict:
    return results | dict(img=cv2.cvtColor(results['img'], cv2.COLOR_BGR2GRAY))


def input_size(cfg: Config, steps: Sequence[dict]) -> Tuple[int, int]:
    """Height and width of the images that a pipeline of a config returns.

    Raises:
        ConfigError: They vary, or the pipeline cannot be used.
    """
    try:
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
            pipeline = pipeline_after_loading(steps)
        images = [np.zeros((*size, 3), np.uint8) for size in ((480, 640), (640, 480))]
        found = [pipeline(dict(img=x, img_shape=x.shape[:2], ori_shape=x.shape[:2]))['inputs'] for x in images]
    # Each transform has its own exceptions for invalid settings.
    except Exception as error:
        raise ConfigError(f'the pipeline that prepares the test images cannot be used ({one_line(error)})') from error
    if found[0].shape != found[1].shape:
        raise ConfigError('the images of the test pipeline vary in size: resize or crop them to one')
    return tuple(found[0].shape[1:])
