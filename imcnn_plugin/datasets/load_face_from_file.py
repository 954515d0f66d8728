import logging
from typing import Optional

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.logging import print_log
from mmpretrain.registry import TRANSFORMS

from ..errors import ConfigError, DataError
from .image_file import UnreadableImage, read_image

# Marks an unreadable image as its ori_shape, which PackInputs passes on, also from worker processes.
NO_PIXELS = (0, 0)
# The size of CelebA's aligned images, for pipelines that do not resize.
GREY = np.full((218, 178, 3), 128, np.uint8)


@TRANSFORMS.register_module()
class LoadFaceFromFile(LoadImageFromFile):
    """Like mmcv's ``LoadImageFromFile`` with its default options, but detects damaged files.

    Images without a path, which mmpretrain's inferencers have already read, are not changed.

    Args:
        on_bad_image: 'error', or 'skip', which replaces an unreadable image with a grey one and sets its labels and
            ``gt_identity`` to unknown (-1), so that losses and metrics ignore it. Batches keep their size and order,
            so runs stay comparable and resumable. The grey image still counts in the statistics of batch
            normalization. Each such image is logged, and :class:`~imcnn_plugin.engine.bad_image_hook.BadImageHook`
            lists them.
        backend_args: Arguments of mmengine's file backend.

    Raises:
        DataError: An image cannot be read, and ``on_bad_image`` is 'error' or the image has no ``gt_score``.
        ConfigError: ``on_bad_image`` is neither of the two.
    """

    def __init__(self, on_bad_image: str = 'error', *, backend_args: Optional[dict] = None):
        if on_bad_image not in ('error', 'skip'):
            raise ConfigError(f"on_bad_image is {on_bad_image!r}, expected 'error' or 'skip'")
        super().__init__(backend_args=backend_args)
        self.on_bad_image = on_bad_image

    def transform(self, results: dict) -> dict:
        """Adds ``img`` ``(H, W, 3)``, uint8 BGR, ``img_shape`` and ``ori_shape``."""
        if 'img' in results and 'img_path' not in results:
            return results
        path = results['img_path']
        try:
            image = read_image(path, self.backend_args)
            size = image.shape[:2]
        except UnreadableImage as error:
            if self.on_bad_image == 'error' or 'gt_score' not in results:
                skip = "train without it by on_bad_image='skip' of LoadFaceFromFile"
                if self.on_bad_image == 'skip':
                    skip = 'remove it from the dataset, whose labels are not in gt_score and cannot be made unknown'
                raise DataError(f'{path} cannot be read ({error}): restore it, or {skip}') from error
            print_log(f'{path} cannot be read ({error}): skipped.', 'current', logging.WARNING)
            results.update(gt_score=np.full_like(results['gt_score'], -1), gt_identity=-1)
            image, size = GREY.copy(), NO_PIXELS
        results.update(img=image, img_shape=image.shape[:2], ori_shape=size)
        return results

    def __repr__(self) -> str:
        return f"LoadFaceFromFile(on_bad_image='{self.on_bad_image}')"
