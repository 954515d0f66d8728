from mmengine.dist import all_reduce_params
from mmengine.hooks import EMAHook, SyncBuffersHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS


@HOOKS.register_module()
class SyncAllBuffersHook(SyncBuffersHook):
    """mmengine's ``SyncBuffersHook``, which also averages the buffers beside the averaged weights of an ``EMAHook``.

    Otherwise a checkpoint would have the batch normalization statistics of the first process, which were not those
    that were validated.
    """

    def after_train_epoch(self, runner: Runner) -> None:
        super().after_train_epoch(runner)
        self._sync_averages(runner)

    def before_val_epoch(self, runner: Runner) -> None:
        if not self.called_in_train:
            self._sync_averages(runner)
        super().before_val_epoch(runner)

    def _sync_averages(self, runner: Runner) -> None:
        for hook in runner.hooks if self.distributed else ():
            if isinstance(hook, EMAHook):
                all_reduce_params(hook.ema_model.module.buffers(), op='mean')
