from typing import List

import torch
from mmengine.runner import TestLoop
from mmengine.runner.amp import autocast
from mmpretrain.registry import LOOPS
from mmpretrain.structures import DataSample


@LOOPS.register_module(name=['FlipTTALoop', 'MirrorTestLoop'])
class FlipTTALoop(TestLoop):
    """Tests with the mean probability of each image and its horizontal flip, which takes twice as long.

    Labels are predicted again from the mean and the samples' ``thresholds``; without thresholds they are removed.
    """

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: dict) -> None:
        step = dict(batch_idx=idx, data_batch=data_batch)
        self.runner.call_hook('before_test_iter', **step)
        outputs = self._predict(data_batch)
        # The samples are the batch's own, so the second prediction overwrites the first.
        scores = [sample.pred_score for sample in outputs]
        images = data_batch['inputs']
        flipped = images.flip(-1) if isinstance(images, torch.Tensor) else [image.flip(-1) for image in images]
        outputs = self._predict(dict(data_batch, inputs=flipped))
        for sample, score in zip(outputs, scores):
            sample.pred_score = (sample.pred_score + score) / 2
            if sample.pop('pred_label', None) is not None and 'thresholds' in sample:
                sample.set_pred_label(torch.where(sample.pred_score >= sample.thresholds)[0])
        self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        self.runner.call_hook('after_test_iter', **step, outputs=outputs)

    def _predict(self, data_batch: dict) -> List[DataSample]:
        with autocast(enabled=self.fp16):
            return self.runner.model.test_step(data_batch)
