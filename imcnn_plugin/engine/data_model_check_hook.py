from typing import Any, Iterator, Tuple

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch import nn

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
        check_classes(runner.model, loader.dataset.metainfo)
        check_identities(runner.model, loader.dataset.metainfo)
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

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        check_checkpoint(runner.model, checkpoint)

    def before_test(self, runner: Runner) -> None:
        check_classes(runner.model, runner.test_dataloader.dataset.metainfo)


def parts_with(model: nn.Module, attribute: str) -> Iterator[Tuple[str, Any]]:
    """Names of the model's parts that have an attribute, and its value."""
    model = model.module if is_model_wrapper(model) else model
    for name, module in model.named_modules():
        value = getattr(module, attribute, None)
        if value is not None:
            yield f'model.{name}.{attribute}', value


def check_classes(model: nn.Module, meta: dict) -> None:
    """Refuses a model whose classes are not those of the data set, where both say."""
    for key, classes in parts_with(model, 'classes'):
        if list(classes) != list(meta.get('classes', classes)):
            raise ConfigError(
                f'{key} are not the classes of the data set, in its order: write classes={list(meta["classes"])}'
            )


def check_checkpoint(model: nn.Module, checkpoint: dict) -> None:
    """Refuses weights for other classes: where shapes agree they would be loaded, and mean something else."""
    trained = ((checkpoint.get('meta') or {}).get('dataset_meta') or {}).get('classes')
    for key, classes in parts_with(model, 'classes'):
        if trained is not None and list(classes) != list(trained):
            raise ConfigError(
                f'{key} are not those of the checkpoint, {list(trained)}: to train its backbone further on others, '
                "name it in model.backbone.init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone'), not "
                'in load_from'
            )


def check_identities(model: nn.Module, meta: dict) -> None:
    """Refuses an identity head for another number of identities than the training set's, where both say."""
    for key, number in parts_with(model, 'num_identities'):
        found = meta.get('num_identities', number)
        if number != found:
            raise ConfigError(
                f'{key} is {number}, but the training set has {found} identities: pass --cfg-options {key}={found}'
            )
