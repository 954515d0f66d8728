import itertools
from typing import Any, Iterator, List, Sequence, Union

import torch
from mmengine.runner import TestLoop
from mmengine.runner.amp import autocast
from mmpretrain.registry import LOOPS
from mmpretrain.structures import DataSample
from mmpretrain.utils import get_ori_model

from ..errors import ConfigError, check_sizes

Images = Union[torch.Tensor, Sequence[torch.Tensor]]


@LOOPS.register_module(name=['FlipTTALoop', 'MirrorTestLoop'])
class FlipTTALoop(TestLoop):
    """Tests with the mean probability of each image and its horizontal flip, which takes twice as long.

    Labels are predicted again from the mean and the samples' ``thresholds``; without thresholds they are removed.

    Args:
        shift: If given, the mean also includes four center crops shifted diagonally by so many pixels, and their
            flips, which takes ten times as long. The ``crop_size`` of the model's :class:`FacePreprocessor` must be
            smaller than the images by at least twice the shift.
        **kwargs: Options of mmengine's ``TestLoop``.

    Raises:
        ConfigError: ``shift`` is not a positive integer, or the crop does not leave room for it.
    """

    def __init__(self, *args: Any, shift: int = 0, **kwargs: Any):
        super().__init__(*args, **kwargs)
        check_sizes(shift=shift or None)
        self.shift = shift
        model = get_ori_model(self.runner.model)
        if shift and not getattr(model.data_preprocessor, 'crop_size', None):
            raise ConfigError(f'shift is {shift}, but data_preprocessor has no crop_size: set it, or remove shift')

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: dict) -> None:
        step = dict(batch_idx=idx, data_batch=data_batch)
        self.runner.call_hook('before_test_iter', **step)
        scores = []
        for images in self._views(data_batch['inputs']):
            # The samples are the batch's own, so each prediction overwrites the one before.
            outputs = self._predict(dict(data_batch, inputs=images))
            scores.append([sample.pred_score for sample in outputs])
        for sample, *found in zip(outputs, *scores):
            sample.pred_score = torch.stack(found).mean(0)
            if sample.pop('pred_label', None) is not None and 'thresholds' in sample:
                sample.set_pred_label(torch.where(sample.pred_score >= sample.thresholds)[0])
        self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        self.runner.call_hook('after_test_iter', **step, outputs=outputs)

    def _views(self, images: Images) -> Iterator[Images]:
        """The images, those without ``2 * shift`` rows and columns at a corner, and the flips of all."""
        # The preprocessor crops the center of what is left: the center crop shifted by half of what is missing.
        cut = 2 * self.shift
        parts = [slice(cut, None), slice(None, -cut)] if cut else []
        for rows, columns in [(slice(None), slice(None)), *itertools.product(parts, parts)]:
            if isinstance(images, torch.Tensor):
                view = images[..., rows, columns]
                yield from (view, view.flip(-1))
            else:
                views = [image[..., rows, columns] for image in images]
                yield from (views, [view.flip(-1) for view in views])

    def _predict(self, data_batch: dict) -> List[DataSample]:
        with autocast(enabled=self.fp16):
            return self.runner.model.test_step(data_batch)
