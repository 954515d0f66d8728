from typing import List, Union

import torch
from mmengine.runner import TestLoop
from mmengine.runner.amp import autocast
from mmpretrain.registry import LOOPS
from mmpretrain.structures import DataSample


@LOOPS.register_module()
class MirrorTestLoop(TestLoop):
    """Tests with the mean of the probabilities of each image and of its mirror image, at twice the time.

    What is predicted is found anew from the mean and the samples' ``thresholds``; without these it is left out.
    """

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: dict) -> None:
        place = dict(batch_idx=idx, data_batch=data_batch)
        self.runner.call_hook('before_test_iter', **place)
        outputs = self._predict(data_batch)
        # The samples are the batch's own, in which the second prediction takes the place of the first.
        scores = [sample.pred_score for sample in outputs]
        outputs = self._predict(dict(data_batch, inputs=mirror(data_batch['inputs'])))
        for sample, score in zip(outputs, scores):
            sample.pred_score = (sample.pred_score + score) / 2
            if sample.pop('pred_label', None) is not None and 'thresholds' in sample:
                sample.set_pred_label(torch.where(sample.pred_score >= sample.thresholds)[0])
        self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        self.runner.call_hook('after_test_iter', **place, outputs=outputs)

    def _predict(self, data_batch: dict) -> List[DataSample]:
        with autocast(enabled=self.fp16):
            return self.runner.model.test_step(data_batch)


def mirror(images: Union[torch.Tensor, List[torch.Tensor]]) -> Union[torch.Tensor, List[torch.Tensor]]:
    """Images ``(..., H, W)``, or a list of such, with left and right exchanged."""
    return images.flip(-1) if isinstance(images, torch.Tensor) else [image.flip(-1) for image in images]
