import logging

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.logging import print_log
from mmpretrain.registry import TRANSFORMS

from ..errors import ConfigError, DataError
from .face_file import UnreadableImage, read_image

# Of an image of which nothing could be read. PackInputs hands it on, from a worker's process as well.
NO_PIXELS = (0, 0)
# As large as CelebA's aligned images, for pipelines that do not resize.
GREY = np.full((218, 178, 3), 128, np.uint8)


@TRANSFORMS.register_module()
class LoadFaceFromFile(LoadImageFromFile):
    """Reads what mmcv's ``LoadImageFromFile`` reads by default; of a file that is damaged the error names the file.

    Args:
        on_bad_image: 'error', or 'skip', which puts a grey image in the place of one that cannot be read, and makes
            all its labels and its ``gt_identity`` unknown (-1): nothing is learnt from it and it does not count in an
            evaluation. Batches keep their size and order, so runs stay comparable and resumable; in batch
            normalisation's statistics the grey image is one of the batch. A line of the log says so for each such
            image, and :class:`~imcnn_plugin.engine.bad_image_hook.BadImageHook` lists them.

    Raises:
        DataError: An image cannot be read, and is not to be skipped or has no labels that could be unknown.
        ConfigError: ``on_bad_image`` is neither of the two.
    """

    def __init__(self, on_bad_image: str = 'error'):
        if on_bad_image not in ('error', 'skip'):
            raise ConfigError(f"on_bad_image is {on_bad_image!r}, expected 'error' or 'skip'")
        super().__init__()
        self.on_bad_image = on_bad_image

    def transform(self, results: dict) -> dict:
        path = results['img_path']
        try:
            image = read_image(path)
        except UnreadableImage as error:
            if self.on_bad_image == 'error' or 'gt_score' not in results:
                raise DataError(
                    f"{path} cannot be read ({error}): restore it, or train without it by on_bad_image='skip' of "
                    'LoadFaceFromFile'
                ) from error
            print_log(f'{path} cannot be read ({error}): left out.', 'current', logging.WARNING)
            results.update(gt_score=np.full_like(results['gt_score'], -1), gt_identity=-1)
            results.update(img=GREY.copy(), img_shape=GREY.shape[:2], ori_shape=NO_PIXELS)
            return results
        results.update(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
        return results

    def __repr__(self) -> str:
        return f"LoadFaceFromFile(on_bad_image='{self.on_bad_image}')"
