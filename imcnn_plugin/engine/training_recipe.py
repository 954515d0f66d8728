"""Adapts mmpretrain's batch augmentations and SwitchRecipeHook to unknown labels and the models of this package."""

from functools import partial
from typing import Callable, Optional

import torch
from mmengine.runner import Runner
from mmpretrain.engine import SwitchRecipeHook
from mmpretrain.utils import get_ori_model

from ..errors import ConfigError
from ..models import GroupedMultiLabelHead, IdentityHead, JointHead, JointLoss, mix_known
from .bad_image_hook import _pipelines

_RECIPE_KEYS = ('train_pipeline', 'batch_augments', 'loss')


def _prepare_recipe(runner: Runner) -> None:
    """Makes batch augmentations keep unknown labels, and checks the schedules of ``SwitchRecipeHook``.

    Raises:
        ConfigError: A part of a schedule would have no effect or not the one that it states, or batch augmentations
            would mix images for a model that learns identities.
    """
    model = get_ori_model(runner.model)
    preprocessor = getattr(model, 'data_preprocessor', None)
    if hasattr(preprocessor, 'batch_augments'):
        preprocessor.batch_augments = _keep_unknown(model, preprocessor.batch_augments, 'model.train_cfg')
    for hook in runner.hooks:
        for epoch, recipe in hook.schedule.items() if isinstance(hook, SwitchRecipeHook) else ():
            where = f'SwitchRecipeHook, action_epoch={epoch}'
            if unknown := [key for key in recipe if key not in _RECIPE_KEYS]:
                raise ConfigError(f'{where}: {unknown} has no effect: write {", ".join(_RECIPE_KEYS)}')
            if 'batch_augments' in recipe:
                if not hasattr(preprocessor, 'batch_augments'):
                    raise ConfigError(
                        f'{where}: batch_augments has no effect with {type(preprocessor).__name__}: use '
                        'FacePreprocessor as model.data_preprocessor'
                    )
                recipe['batch_augments'] = _keep_unknown(model, recipe['batch_augments'], where)
            if 'train_pipeline' in recipe and not [*_pipelines(runner.train_dataloader.dataset)]:
                raise ConfigError(f'{where}: train_pipeline has no effect: the images of a pack run none')
            if 'loss' in recipe:
                _check_loss(model, recipe['loss'], where)


def _keep_unknown(model: torch.nn.Module, augment: Optional[Callable], where: str) -> Optional[Callable]:
    if augment is None:
        return None
    if any(isinstance(module, IdentityHead) for module in model.modules()):
        raise ConfigError(
            f'{where}: mixed images have no identity: remove the batch augmentations, or the identity head '
            '(model.head.id_head=None)'
        )
    return partial(mix_known, augment)


def _check_loss(model: torch.nn.Module, loss: Optional[torch.nn.Module], where: str) -> None:
    head = getattr(model, 'head', None)
    if isinstance(head, JointHead) and not isinstance(loss, JointLoss):
        raise ConfigError(
            f'{where}: loss replaces the JointLoss of model.head, not the loss of its attr_head: use '
            "GroupedMultiLabelHead as model.head, or dict(type='JointLoss', id_weight=...)"
        )
    if isinstance(head, GroupedMultiLabelHead) and loss is not None:
        head.check_loss(loss, f'{where}: loss={type(loss).__name__}')
