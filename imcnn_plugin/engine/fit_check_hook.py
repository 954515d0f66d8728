from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch.utils.data import DataLoader

from ..errors import ConfigError


@HOOKS.register_module()
class FitCheckHook(Hook):
    """Before the first step, checks that model and data fit, and says what the step is.

    Raises:
        ConfigError: The head's classes or its number of identities are not the data set's; says what to write.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        loader = runner.train_dataloader
        check_fit(runner, loader)
        batch, world = loader.batch_sampler.batch_size, get_world_size()
        rates = sorted({group['lr'] for group in runner.optim_wrapper.param_groups})
        scaling = runner.cfg.get('auto_scale_lr') or {}
        base = scaling.get('base_batch_size', batch * world)
        note = ''
        if base != batch * world and not scaling.get('enable'):
            note = f'; it was set for a batch of {base}, which --auto-scale-lr accounts for'
        runner.logger.info(
            f'Global batch {batch * world} ({world} x {batch}), {len(loader)} steps an epoch, learning rate '
            f'{", ".join(f"{rate:g}" for rate in rates)}{note}.'
        )

    def before_test(self, runner: Runner) -> None:
        check_fit(runner, runner.test_dataloader)


def check_fit(runner: Runner, loader: DataLoader) -> None:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    meta = loader.dataset.metainfo
    for name, module in model.named_modules():
        classes = getattr(module, 'classes', None)
        if classes is not None and 'classes' in meta and list(classes) != list(meta['classes']):
            raise ConfigError(
                f'model.{name}.classes are not the classes of the data set, in its order: write '
                f'classes={list(meta["classes"])}'
            )
        identities = getattr(module, 'num_identities', None)
        if identities is not None and identities != meta.get('num_identities', identities):
            raise ConfigError(
                f'model.{name}.num_identities is {identities}, but the training set has {meta["num_identities"]} '
                f'identities: pass --cfg-options model.{name}.num_identities={meta["num_identities"]}'
            )
