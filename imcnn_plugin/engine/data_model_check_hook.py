from typing import Any, Iterator, Optional, Sequence, Tuple

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.evaluation import AveragePrecision, MultiLabelMetric
from mmpretrain.registry import HOOKS
from mmpretrain.utils import get_ori_model
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from .. import framework
from ..datasets import (
    FaceDataset,
    PackedDataset,
    check_resumable,
    check_unseen,
    identify_split,
    merge_splits,
    nested_datasets,
    read_split,
)
from ..errors import ConfigError, DataError
from .metric_checks import _check_groups, _check_metric_names
from .training_recipe import _prepare_recipe


@HOOKS.register_module(name=['DataModelCheckHook', 'FitCheckHook'])
class DataModelCheckHook(Hook):
    """Checks before the first step that model and data match, and logs the global batch and the learning rate.

    Args:
        classes: Names of the labels that the model predicts, if the dataset's ``classes`` are something else, as in a
            detection or segmentation project.

    Checkpoints record in ``trained_on`` the training split and all splits that the weights were trained on before.

    Raises:
        ConfigError: The head's classes or its number of identities differ from the dataset's; an evaluation would skip
            images, would not report a metric that the config names, or would include identities that a loaded
            checkpoint was trained on; or a part of a SwitchRecipeHook has no effect. The message says what to write.
        DataError: No weight of a checkpoint fits the model, or processes have different data or checkpoints.
    """

    priority = 'VERY_HIGH'

    def __init__(self, classes: Optional[Sequence[str]] = None):
        self.classes = classes
        # Identify the training splits of the loaded checkpoint and of this run.
        self.loaded, self.own = {}, {}

    def before_train(self, runner: Runner) -> None:
        loader = runner.train_dataloader
        self.own = identify_split(loader.dataset)
        match_classes(runner.model, loader.dataset, names=self.classes)
        _check_identities(runner.model, loader.dataset)
        # Check evaluations now rather than after the first or the last epoch.
        if runner.test_loop is not None:
            _check_other_images(loader.dataset, runner.test_dataloader.dataset, 'test_dataloader')
            if self.loaded:
                check_unseen(self.loaded, identify_split(runner.test_dataloader.dataset), self.own)
        if runner.val_loop is not None:
            _check_other_images(loader.dataset, runner.val_dataloader.dataset, 'val_dataloader')
            self.before_val(runner)
            _check_metric_names(runner)
        _prepare_recipe(runner)
        _check_same_start(runner, self.own)
        self._log_run(runner)
        self._log_batch(runner)
        # mmengine itself would also write the config of tests and of runs that fail at the start.
        Runner.dump_config(runner)

    @staticmethod
    def _log_run(runner: Runner) -> None:
        runner.logger.info(
            f'Results go to {runner.work_dir}; the log with config and environment is {runner.log_dir}.'
        )
        images = [f'{len(runner.train_dataloader.dataset):,} training images']
        if number := _metainfo(runner.train_dataloader.dataset).get('num_identities'):
            images[0] += f' of {number:,} identities'
        if runner.val_loop is not None:
            images.append(f'{len(runner.val_dataloader.dataset):,} validation images')
        weights = sum(weight.numel() for weight in runner.model.parameters())
        runner.logger.info(f'{", ".join(images)}; {weights / 1e6:,.1f} million weights.')

    @staticmethod
    def _log_batch(runner: Runner) -> None:
        loader, world = runner.train_dataloader, get_world_size()
        batch, steps = loader.batch_sampler.batch_size, framework.accumulative_counts(runner.optim_wrapper)
        total = batch * world * steps
        # Several optimizers have several lists.
        found = runner.optim_wrapper.get_lr().items()
        rates = sorted({rate for name, values in found if not name.endswith('base_lr') for rate in values})
        scaling = runner.cfg.get('auto_scale_lr') or {}
        # mmengine scales the learning rate by the batch of one step, without accumulation.
        set_for = batch * world if scaling.get('enable') else scaling.get('base_batch_size', total)
        note = f'; it was set for a batch of {set_for}' if set_for != total else ''
        if note and batch * world == total:
            note += ', use --auto-scale-lr to scale it'
        accumulated = f', {steps} steps accumulated' if steps > 1 else ''
        runner.logger.info(
            f'Global batch {total} ({world} x {batch}{accumulated}), {len(loader)} steps per epoch, learning rate '
            f'{", ".join(f"{rate:g}" for rate in rates)}{note}.'
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Rejects weights for other classes, which could have the same shapes but another meaning."""
        # Either side may be a wrapped model, as for test-time augmentation.
        shapes, own = (
            {name.removeprefix('module.'): getattr(value, 'shape', None) for name, value in weights.items()}
            for weights in (checkpoint.get('state_dict', checkpoint), runner.model.state_dict())
        )
        if not any(shapes.get(name) == shape for name, shape in own.items()):
            raise DataError(f'{runner.cfg.get("load_from")}: none of its weights fits the model by name and shape')
        meta = checkpoint.get('meta') or {}
        self.loaded = read_split(meta)
        if framework.is_resuming(runner):
            check_resumable(self.loaded, identify_split(runner.train_dataloader.dataset))
        trained = (meta.get('dataset_meta') or {}).get('classes') if self.classes is None else None
        for key, classes in _modules_with(runner.model, 'classes'):
            if trained is not None and list(classes) != list(trained):
                raise ConfigError(
                    f'{key} are not those of the checkpoint, {list(trained)}: to fine-tune its backbone on others, '
                    "name it in model.backbone.init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone'), "
                    'not in load_from'
                )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint['meta']['trained_on'] = merge_splits(self.own, self.loaded)

    def before_val(self, runner: Runner) -> None:
        self._before_evaluation(runner, 'val')

    def before_test(self, runner: Runner) -> None:
        self._before_evaluation(runner, 'test')

    def _before_evaluation(self, runner: Runner, mode: str) -> None:
        loader, evaluator = (getattr(runner, f'{mode}_{part}') for part in ('dataloader', 'evaluator'))
        match_classes(runner.model, loader.dataset, evaluator, self.classes)
        _check_groups(evaluator)
        _check_evaluation(loader, evaluator, f'{mode}_dataloader')
        check_unseen(self.loaded, identify_split(loader.dataset), self.own)


def _check_evaluation(loader: DataLoader, evaluator: Evaluator, name: str) -> None:
    if isinstance(loader.dataset, PackedDataset) and loader.dataset.__getitems__:
        for metric in getattr(evaluator, 'metrics', ()):
            if isinstance(metric, (AveragePrecision, MultiLabelMetric)):
                raise ConfigError(
                    f"{type(metric).__name__} takes single images, not a pack's batches: set batched=False in "
                    f"{name}.dataset and collate_fn=dict(type='default_collate'), or use PerAttributeAccuracy"
                )
    if loader.drop_last and len(loader.sampler) % loader.batch_sampler.batch_size:
        raise ConfigError(f'{name}.drop_last=True skips the last images of the evaluation: set it to False')


def _check_same_start(runner: Runner, split: dict) -> None:
    """Raises DataError if processes that train together have different data or have loaded different checkpoints."""
    if get_world_size() == 1:
        return
    numbers = {
        'epoch': runner.epoch,
        'iteration': runner.iter,
        'training images': len(runner.train_dataloader.dataset),
        'validation images': 0 if runner.val_loop is None else len(runner.val_dataloader.dataset),
        'steps per epoch': len(runner.train_dataloader),
    }
    weights = []
    # Other wrappers shard the weights.
    if isinstance(runner.model, DistributedDataParallel):
        parts = [weight.detach().flatten().view(torch.uint8) for weight in runner.model.parameters()]
        # Sums of integers are exact on any device and in any order.
        weights = torch.stack([part.sum(dtype=torch.int64) for part in parts]).tolist()
    first, *others = all_gather_object((numbers, split, weights))
    for rank, other in enumerate(others, 1):
        if other != first:
            differ = [key for key in numbers if other[0][key] != first[0][key]]
            found = [f'{key} {other[0][key]}, not {first[0][key]}' for key in differ]
            found += ['another training split'] * (other[1] != first[1]) + ['other weights'] * (other[2] != first[2])
            raise DataError(
                f'process {rank} starts with {"; ".join(found)}: all processes need the data and the checkpoint of '
                f'process 0, in a shared folder or as copies; process {get_rank()} has {runner.cfg.get("load_from")}'
            )


def _modules_with(model: nn.Module, attribute: str) -> Iterator[Tuple[str, Any]]:
    """For each submodule that has an attribute, its key in the config and its value."""
    model = get_ori_model(model)
    for name, module in model.named_modules():
        value = getattr(module, attribute, None)
        if value is not None:
            yield f'model.{name}.{attribute}', value


def match_classes(
    model: nn.Module,
    dataset: Dataset,
    evaluator: Optional[Evaluator] = None,
    names: Optional[Sequence[str]] = None,
) -> None:
    """Raises ConfigError if the model's classes differ from ``names`` or, without these, from those of the dataset.

    A dataset without classes takes those of the model. ``load_config`` writes them into the config; this is for
    runners of other tools.
    """
    for key, classes in _modules_with(model, 'classes'):
        if names is not None:
            if list(classes) != list(names):
                raise ConfigError(f'{key} are not the classes of DataModelCheckHook, {list(names)}: make them equal')
            continue
        if isinstance(dataset, FaceDataset):
            dataset.take_classes(classes)
            if evaluator is not None:
                evaluator.dataset_meta = dataset.metainfo
        meta = _metainfo(dataset)
        if list(classes) != list(meta.get('classes', classes)):
            advice = f'write classes={list(meta["classes"])}'
            if hasattr(dataset, 'dataset') or hasattr(dataset, 'datasets'):
                advice += f', or classes={list(classes)} in what {type(dataset).__name__} wraps'
            raise ConfigError(f'{key} are not the classes of the dataset, in its order: {advice}')


def _metainfo(dataset: Dataset) -> dict:
    """The ``metainfo`` of a dataset, or of the one that a wrapper such as torch's ``Subset`` holds."""
    while not hasattr(dataset, 'metainfo') and hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    return getattr(dataset, 'metainfo', {})


def _face_datasets(dataset: Dataset) -> Iterator[FaceDataset]:
    """The datasets of this package in a dataset or wrapper."""
    return (part for part in nested_datasets(dataset) if isinstance(part, FaceDataset))


def _check_other_images(train: Dataset, evaluated: Dataset, name: str) -> None:
    """Raises ConfigError if a split of another name has the images of the training split."""
    for own in _face_datasets(train):
        for other in _face_datasets(evaluated):
            if own.split != other.split and own.metainfo['checksums'] == other.metainfo['checksums']:
                raise ConfigError(
                    f"{name} has the images of the training set, although its split is '{other.split}' and not "
                    f"'{own.split}': set split_column or split_file, or correct the lists"
                )


def _check_identities(model: nn.Module, dataset: Dataset) -> None:
    """Raises ConfigError if the model's number of identities does not match the training set."""
    meta, numbered = _metainfo(dataset), {}
    for part in _face_datasets(dataset):
        split = getattr(part, 'split_identity', {})
        # LFWA also lists its images as members.
        for name, found in split.get('members', {}).items():
            if found and not name.startswith('images '):
                numbered[split['lists']] = name
    for key, number in _modules_with(model, 'num_identities'):
        if len(numbered) > 1:
            raise ConfigError(
                f'{key} is {number}, but the training set joins {" and ".join(numbered.values())}, each numbered from '
                '0: name the identities of all images in one file, or write model.head.id_head=None'
            )
        found = meta.get('num_identities', number)
        if not found:
            raise ConfigError(
                f'{key} is {number}, but the training set has no identities (those of CelebA are in '
                'identity_CelebA.txt): name them in the dataset, or write model.head.id_head=None'
            )
        if number != found:
            raise ConfigError(
                f'{key} is {number}, but the training set has {found} identities: pass --cfg-options {key}={found}, '
                "or 'auto'"
            )
