from typing import Optional, Sequence

from mmengine.runner import Runner
from mmpretrain.engine import VisualizationHook
from mmpretrain.registry import HOOKS
from mmpretrain.structures import DataSample
from mmpretrain.utils import get_ori_model


@HOOKS.register_module()
class FaceVisualizationHook(VisualizationHook):
    """mmpretrain's ``VisualizationHook`` with the right colors; the stock hook draws BGR, OpenCV's order, as RGB.

    When disabled, it does nothing. The stock hook would still build the training loop, even when only validating.
    """

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Optional[dict] = None,
        outputs: Optional[Sequence[DataSample]] = None,
    ) -> None:
        if self.enable:
            super().after_val_iter(runner, batch_idx, _in_rgb(runner, data_batch), outputs)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Optional[dict] = None,
        outputs: Optional[Sequence[DataSample]] = None,
    ) -> None:
        if self.enable:
            super().after_test_iter(runner, batch_idx, _in_rgb(runner, data_batch), outputs)


def _in_rgb(runner: Runner, data_batch: dict) -> dict:
    """The batch as the model sees it after its own conversion."""
    if not getattr(get_ori_model(runner.model).data_preprocessor, 'to_rgb', False):
        return data_batch
    return dict(data_batch, inputs=[image.flip(0) for image in data_batch['inputs']])
