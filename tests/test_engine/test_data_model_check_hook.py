from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import RepeatDataset
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import MODELS
from torch import nn
from torch.utils.data import Dataset, Subset

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datasets import CelebAIdentity, identify_split, nested_datasets, write_pack
from imcnn_plugin.engine import build_runner, load_config, train_and_test
from imcnn_plugin.engine.data_model_check_hook import _check_identities, match_classes
from imcnn_plugin.errors import ConfigError, DataError
from imcnn_plugin.synthetic import write_faces


def fit(metainfo, **attributes):
    model = nn.Sequential()
    model.head = nn.Linear(1, 1)
    for name, value in attributes.items():
        setattr(model.head, name, value)
    dataset = SimpleNamespace(metainfo=metainfo)
    match_classes(model, dataset)
    _check_identities(model, dataset)


def test_what_fits_passes():
    fit(dict(classes=('a', 'b'), num_identities=5), classes=['a', 'b'], num_identities=5)
    # Another project's dataset need not say either.
    fit({}, classes=['a', 'b'], num_identities=5)


def test_classes_in_another_order_are_refused():
    with pytest.raises(ConfigError, match=r"model.head.classes .* write classes=\['a', 'b'\]"):
        fit(dict(classes=('a', 'b')), classes=['b', 'a'])


def test_classes_of_a_wrapped_dataset_are_named(faces):
    dataset = RepeatDataset(CelebAIdentity(str(faces)), times=2)
    model = nn.Sequential()
    model.head = nn.Linear(1, 1)
    model.head.classes = ['Male', 'Young']
    with pytest.raises(ConfigError, match=r"or classes=\['Male', 'Young'\] in what RepeatDataset wraps"):
        match_classes(model, dataset)


def test_the_labels_may_have_names_of_their_own():
    model = nn.Sequential()
    model.head = nn.Linear(1, 1)
    model.head.classes = ['a', 'b']
    boxes = SimpleNamespace(metainfo=dict(classes=('face',)))
    match_classes(model, boxes, names=['a', 'b'])
    with pytest.raises(ConfigError, match=r"classes of DataModelCheckHook, \['b', 'a'\]: make them equal"):
        match_classes(model, boxes, names=['b', 'a'])


def test_identities_that_are_unknown_are_refused():
    with pytest.raises(ConfigError, match='is 8192, but the training set has no identities .*identity_CelebA.txt'):
        fit(dict(num_identities=0), num_identities=8192)


def test_another_number_of_identities_is_refused():
    with pytest.raises(ConfigError, match='--cfg-options model.head.num_identities=5'):
        fit(dict(num_identities=5), num_identities=8192)


@pytest.fixture
def cfg(faces, best, tmp_path):
    """A tiny network's training on 56 images."""
    cfg = load_config(best, data_root=str(faces), work_dir=str(tmp_path))
    cfg.train_dataloader.num_workers = 0
    return cfg


@pytest.mark.parametrize(
    'loader, options, message',
    [
        (
            'train',
            dict(batch_size=64, drop_last=True),
            '56 training images in 1 processes give no batch of 64: reduce',
        ),
        ('train', dict(sampler=dict(type='InfiniteSampler')), 'an epoch of .* InfiniteSampler never ends'),
        ('val', dict(batch_size=3, drop_last=True), 'val_dataloader.drop_last=True skips the last images'),
        ('test', dict(batch_size=3, drop_last=True), 'test_dataloader.drop_last=True skips the last images'),
    ],
)
def test_loops_that_would_do_nothing_or_never_end(cfg, loader, options, message):
    cfg[f'{loader}_dataloader'].update(options)
    runner = build_runner(cfg)
    with pytest.raises(ConfigError, match=message):
        getattr(runner, loader)()


def test_a_whole_number_of_batches_may_drop_the_last(cfg):
    cfg.val_dataloader.update(batch_size=4, drop_last=True)
    assert 'attr/mean_accuracy' in build_runner(cfg).val()


PLATEAU = dict(_delete_=True, type='ReduceOnPlateauLR', monitor='accuracy/top1')
CHOICES = r"'attr/mean_accuracy', .*'attr/accuracy/Young'$"


@pytest.mark.parametrize(
    'options, message',
    [
        ({'default_hooks.checkpoint.save_best': 'attr/mean'}, f"save_best is 'attr/mean', which .* {CHOICES}"),
        ({'default_hooks.checkpoint.save_best': ['attr/mAP', 'mAP']}, f"save_best is 'mAP', which .* {CHOICES}"),
        (
            {'custom_hooks': [dict(type='EarlyStoppingHook', monitor='mAP')]},
            f"EarlyStoppingHook is 'mAP', .*{CHOICES}",
        ),
        ({'param_scheduler': PLATEAU}, f"ReduceOnPlateauLR is 'accuracy/top1', which .* {CHOICES}"),
        ({'val_evaluator.groups': [dict(name='a', labels=['Ears'])]}, r"missing from the dataset: \['Ears'\]"),
        ({'test_evaluator.groups': [dict(name='a', labels=['Ears'])]}, r"missing from the dataset: \['Ears'\]"),
    ],
)
def test_metrics_that_no_evaluation_reports_are_found_before_the_first_step(cfg, options, message, tmp_path):
    cfg.merge_from_dict(options)
    runner = build_runner(cfg)
    with pytest.raises(ConfigError, match=message):
        train_and_test(runner)
    assert not runner.iter and not [*tmp_path.glob('*.pth')]


def test_metrics_of_others_may_report_what_begins_with_their_prefix(cfg):
    cfg.val_evaluator = [cfg.val_evaluator, dict(type='AveragePrecision')]
    cfg.default_hooks.checkpoint.save_best = ['attr/mAP', 'multi-label/mAP']
    cfg.train_cfg.max_epochs = 1
    runner = build_runner(cfg)
    runner.train()
    assert runner.message_hub.get_info('best_ckpt_multi-label/mAP')
    cfg.default_hooks.checkpoint.save_best = 'accuracy/top1'
    with pytest.raises(ConfigError, match=r"'attr/accuracy/Young', 'multi-label/...'$"):
        build_runner(cfg).train()


@pytest.mark.parametrize('has_test', [True, False])
def test_the_order_of_images_does_not_depend_on_a_test_split(cfg, has_test):
    cfg.train_cfg.max_epochs = 1
    if not has_test:
        cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    runner = build_runner(cfg)
    train_and_test(runner)
    # Of the second draw, as since the first version.
    assert runner.train_dataloader.sampler.seed == np.random.RandomState(runner.seed).randint(2**31, size=2)[1]


def test_accumulated_steps_count_in_the_global_batch(cfg, capfd):
    cfg.optim_wrapper.accumulative_counts, cfg.train_cfg.max_epochs = 4, 1
    build_runner(cfg).train()
    assert 'Global batch 32 (1 x 8, 4 steps accumulated), 7 steps per epoch' in capfd.readouterr().out


@pytest.mark.parametrize('weights', [dict(), dict(other=torch.zeros(3)), 'shapes'])
def test_a_checkpoint_without_one_fitting_weight_is_refused(cfg, weights, best, tmp_path):
    if weights == 'shapes':
        weights = {name: value.new_zeros(7, 7, 7) for name, value in torch.load(best)['state_dict'].items()}
    torch.save(dict(state_dict=weights), tmp_path / 'a.pth')
    cfg.load_from = str(tmp_path / 'a.pth')
    with pytest.raises(DataError, match='a.pth: none of its weights fits the model by name and shape'):
        build_runner(cfg).train()


def test_one_fitting_weight_is_enough(cfg, best, tmp_path):
    name, value = next(iter(torch.load(best)['state_dict'].items()))
    torch.save(dict(state_dict={f'module.{name}': value + 1}), tmp_path / 'a.pth')
    cfg.load_from, cfg.train_cfg.max_epochs = str(tmp_path / 'a.pth'), 1
    build_runner(cfg).train()


def test_identities_of_joined_files_are_refused_by_an_identity_head(faces, cfg, tmp_path):
    """Each file numbers its identities from 0."""
    names = sorted(path.name for path in (faces / 'img_align_celeba').iterdir())
    part = dict(
        type='AttributeCSV',
        data_root=str(faces),
        data_prefix='img_align_celeba',
        identity_column='who',
        pipeline=cfg.train_dataloader.dataset.pipeline,
    )
    parts = []
    for number in range(2):
        path = tmp_path / f'{number}.csv'
        rows = [f'{name},{index // 2}{",1" * 40}' for index, name in enumerate(names[28 * number : 28 * number + 28])]
        path.write_text('\n'.join([','.join(['image', 'who', *ATTRIBUTES]), *rows]))
        parts.append(dict(part, ann_file=str(path)))
    cfg.train_dataloader.dataset = dict(
        type='ConcatDataset', datasets=parts, ignore_keys=['split', 'checksums', 'num_identities']
    )
    runner = build_runner(cfg)
    with pytest.raises(ConfigError, match=r'joins identities of 0\.csv .* and identities of 1\.csv .*, each numbered'):
        runner.train()
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=parts[0])
    build_runner(cfg).train()


def test_metrics_of_single_images_are_refused_for_batches_of_a_pack(faces, cfg, tmp_path):
    write_pack(faces, tmp_path / 'pack', size=72, jobs=1)
    cfg.val_dataloader.dataset.update(type='PackedFaces', data_root=str(tmp_path / 'pack'))
    cfg.val_dataloader.update(collate_fn=dict(type='packed_collate'), batch_size=3)
    cfg.val_evaluator = [cfg.val_evaluator, dict(type='MultiLabelMetric')]
    with pytest.raises(ConfigError, match='MultiLabelMetric takes single images, .* set batched=False'):
        build_runner(cfg).val()
    cfg.val_dataloader.dataset.batched = False
    cfg.val_dataloader.collate_fn = dict(type='default_collate')
    assert 'multi-label/precision' in build_runner(cfg).val()


def test_identities_of_two_lists_in_celebas_layout_are_refused(faces, cfg, tmp_path):
    write_faces(tmp_path / 'other', identities=10, images=2, seed=5, jobs=1)
    one = cfg.train_dataloader.dataset
    parts = [one, dict(one, data_root=str(tmp_path / 'other'))]
    cfg.train_dataloader.dataset = dict(
        type='ConcatDataset', datasets=parts, ignore_keys=['split', 'checksums', 'num_identities']
    )
    with pytest.raises(ConfigError, match='joins identities of CelebA and identities of CelebA, each numbered from 0'):
        build_runner(cfg).train()


def test_drawn_faces_are_other_people(faces, tmp_path):
    """Neither CelebA's, whose numbers end at 10,177, nor those of another seed."""
    write_faces(tmp_path / 'other', identities=10, images=2, seed=5, jobs=1)
    one, other = (
        identify_split(CelebAIdentity(str(root), 'train'))['members']['identities of CelebA']
        for root in (faces, tmp_path / 'other')
    )
    assert not {*one} & {*other} and min(one + other) > 10_177


@pytest.mark.parametrize('name', ['val', 'test'])
def test_a_split_with_the_training_images_is_refused(faces, cfg, tmp_path, name):
    names = sorted(path.name for path in (faces / 'img_align_celeba').iterdir())
    rows = [f'{name},{i % 2}{",1" * 39}' for i, name in enumerate(names)]
    (tmp_path / 'labels.csv').write_text('\n'.join([','.join(['image', *ATTRIBUTES]), *rows]))
    cfg.model.head.id_head = None
    for key in ('train', 'val', 'test'):
        if key == 'train' or key == name:
            cfg[f'{key}_dataloader'].dataset = dict(
                type='AttributeCSV',
                ann_file=str(tmp_path / 'labels.csv'),
                data_root=str(faces),
                data_prefix='img_align_celeba',
                split=key,
                pipeline=cfg.train_dataloader.dataset.pipeline,
            )
    with pytest.raises(ConfigError, match=f'{name}_dataloader has the images of the training set, although'):
        train_and_test(build_runner(cfg))
    # The same split twice is meant.
    cfg[f'{name}_dataloader'].dataset.split = 'train'
    cfg.train_cfg.max_epochs = 1
    build_runner(cfg).train()


def test_torchs_subset_is_checked_as_its_dataset(faces):
    model = nn.Sequential()
    model.head = nn.Linear(1, 1)
    model.head.classes = ['Young', 'Male']
    dataset = Subset(CelebAIdentity(str(faces), classes=['Male', 'Young']), [0, 1])
    with pytest.raises(ConfigError, match=r"write classes=\['Male', 'Young'\]"):
        match_classes(model, dataset)


def test_datasets_of_others_may_hold_what_they_like():
    class Own(Dataset):
        def __init__(self):
            self.dataset, self.datasets = np.zeros((2, 3)), None

    assert identify_split(Own()) == {} and len([*nested_datasets(Own())]) == 1
    assert [type(part) for part in nested_datasets(Subset(Own(), [0]))] == [Subset, Own]


def test_learning_rates_of_several_optimizers_are_logged(cfg, capfd):
    cfg.optim_wrapper = dict(
        constructor='PairConstructor', backbone=dict(optimizer=dict(type='SGD', lr=0.5)), head=dict(lr=0.25)
    )
    cfg.param_scheduler, cfg.model.type, cfg.train_cfg.max_epochs = None, 'PairClassifier', 1
    cfg.default_hooks.finite_loss = cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.default_hooks.checkpoint.save_best = None
    build_runner(cfg).train()
    assert 'learning rate 0.25, 0.5' in capfd.readouterr().out


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class PairConstructor:
    """An optimizer for the backbone and one for the head."""

    def __init__(self, optim_wrapper_cfg, paramwise_cfg=None):
        self.rates = optim_wrapper_cfg['backbone']['optimizer']['lr'], optim_wrapper_cfg['head']['lr']

    def __call__(self, model):
        parts = dict(backbone=model.backbone, head=model.head)
        return OptimWrapperDict(
            **{
                name: OptimWrapper(torch.optim.SGD(part.parameters(), lr=rate))
                for (name, part), rate in zip(parts.items(), self.rates)
            }
        )


@MODELS.register_module()
class PairClassifier(ImageClassifier):
    def train_step(self, data, optim_wrapper):
        data = self.data_preprocessor(data, True)
        loss, logged = self.parse_losses(self(**data, mode='loss'))
        loss.backward()
        for wrapper in optim_wrapper.values():
            wrapper.step()
            wrapper.zero_grad()
        return logged
