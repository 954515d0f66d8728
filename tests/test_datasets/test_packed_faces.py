import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import ConcatDataset, RepeatDataset, default_collate
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from imcnn_plugin.datasets import CelebAIdentity, PackedFaces, packing
from imcnn_plugin.engine import build_runner, load_config, train_and_test
from imcnn_plugin.errors import ConfigError, DataError

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
FIELDS = ('gt_score', 'gt_identity', 'identity')
SIZE = (112, 112)
NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')


@pytest.fixture(scope='module')
def pack(faces, tmp_path_factory):
    return str(packing.write_pack(faces, tmp_path_factory.mktemp('packs') / 'faces', size=112, jobs=1).path)


def stock_config(faces, monkeypatch):
    monkeypatch.setenv('CELEBA_ROOT', str(faces))
    return Config.fromfile(CONFIGS / '_base_/datasets/celeba.py')


def packed_config(pack, monkeypatch):
    monkeypatch.setenv('CELEBA_PACK', pack)
    return Config.fromfile(CONFIGS / '_base_/datasets/celeba_packed.py')


def loader(cfg, split, **options):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return Runner.build_dataloader({**cfg[f'{split}_dataloader'], 'batch_size': 12, **options}, seed=3)


def stacked(batch):
    """Inputs and fields of a batch, whichever reader gave it."""
    samples = batch['data_samples']
    if not isinstance(samples, list):
        return [batch['inputs'], *(samples.get(field) for field in FIELDS)]
    return [batch['inputs'], *(torch.stack([torch.as_tensor(s.get(field)) for s in samples]) for field in FIELDS)]


def assert_same(one, other):
    for a, b in zip(one, other):
        assert a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)


@pytest.mark.parametrize('name', ['celeba', 'celeba_64'])
def test_configs_differ_in_the_reader_alone(name):
    stock, packed = (Config.fromfile(CONFIGS / '_base_/datasets' / f'{stem}.py') for stem in (name, f'{name}_packed'))
    for split in ('train', 'val', 'test'):
        one, other = stock[f'{split}_dataloader'], packed[f'{split}_dataloader']
        assert other.pop('num_workers') == 0 and one.pop('num_workers') > 0
        assert other.pop('collate_fn').type == 'packed_collate' and one.pop('collate_fn').type == 'default_collate'
        assert other.dataset.pop('type') == 'PackedFaces' and one.dataset.pop('type') == 'CelebAIdentity'
        assert other.dataset.pop('data_root') == packed.data_root and one.dataset.pop('data_root') == stock.data_root
    assert packed._cfg_dict.pop('data_root') != stock._cfg_dict.pop('data_root')
    assert packed._cfg_dict == stock._cfg_dict


@pytest.mark.parametrize('workers', [0, 1])
@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_batches_are_those_of_the_files(faces, pack, monkeypatch, split, workers):
    stock = loader(stock_config(faces, monkeypatch), split, num_workers=0)
    packed = loader(packed_config(pack, monkeypatch), split, num_workers=workers)
    assert len(stock) == len(packed)
    assert packed.dataset.metainfo == dict(stock.dataset.metainfo, image_size=SIZE)
    for epoch in range(2):
        stock.sampler.set_epoch(epoch)
        packed.sampler.set_epoch(epoch)
        for one, other in zip(stock, packed, strict=True):
            assert_same(stacked(one), stacked(other))
    # As channels_last: the order in which the memory map has it.
    assert other['inputs'].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    'options',
    [
        dict(split='trainval'),
        dict(split='train', min_images_per_identity=5),
        dict(protocol='paper', num_train_identities=12, seed=4),
        dict(protocol='paper', num_train_identities=12, seed=5, split='test'),
        dict(protocol='kfold', fold='1', num_folds=3, split='test'),
        dict(protocol='kfold', fold=2, num_folds=3),
        dict(indices=5),
        dict(indices=[4, 1, -1]),
    ],
    ids=str,
)
def test_splits_are_those_of_the_files(faces, pack, options):
    stock, packed = CelebAIdentity(str(faces), **options), PackedFaces(pack, **options)
    assert packed.metainfo == dict(stock.metainfo, image_size=SIZE) and len(packed) == len(stock)
    images = np.load(Path(pack, 'images.npy'))
    for i in range(len(stock)):
        one, other = stock.get_data_info(i), packed.get_data_info(i)
        path = one.pop('img_path')
        assert Path(path).name == other.pop('img_path')
        assert one.pop('gt_score').tolist() == other.pop('gt_score').tolist() and one == other
        assert np.array_equal(packed[i]['inputs'].permute(1, 2, 0).numpy(), images[int(Path(path).stem) - 1])


def test_options_by_position_are_those_of_the_files(faces, pack):
    packed = PackedFaces(pack, 'val')
    assert packed.split == 'val' and len(packed) == len(CelebAIdentity(str(faces), 'val'))


@pytest.mark.parametrize('options', [dict(split='val', protocol='kfold'), dict(split='all'), dict(protocol='random')])
def test_what_no_protocol_has_is_rejected(pack, options):
    with pytest.raises(ConfigError, match='has no split|there is no protocol'):
        PackedFaces(pack, **options)


@pytest.mark.parametrize('collate', ['default_collate', 'pseudo_collate'])
def test_single_images_are_those_of_the_files(faces, pack, monkeypatch, collate):
    cfg, packed_cfg = stock_config(faces, monkeypatch), packed_config(pack, monkeypatch)
    packed_cfg.train_dataloader.dataset.batched = False
    loaders = [loader(c, 'train', num_workers=0, collate_fn=dict(type=collate)) for c in (cfg, packed_cfg)]
    for one, other in zip(*loaders, strict=True):
        assert len(one['data_samples']) == len(other['data_samples']) and torch.equal(
            torch.stack(list(one['inputs'])), torch.stack(list(other['inputs']))
        )
        for a, b in zip(one['data_samples'], other['data_samples']):
            assert a.keys() == b.keys() and (a.sample_idx, a.img_shape) == (b.sample_idx, b.img_shape)
            assert Path(a.img_path).name == b.img_path
            for field in FIELDS:
                assert type(a.get(field)) is type(b.get(field))
            assert_same([a.gt_score], [b.gt_score])
            assert (a.gt_identity, a.identity) == (b.gt_identity, b.identity)


def test_wrappers_give_single_images(pack):
    dataset = PackedFaces(pack, split='val')
    both, twice = ConcatDataset([dataset, dataset.get_subset(1)]), RepeatDataset(dataset, 2)
    assert torch.equal(both[len(dataset)]['inputs'], dataset[0]['inputs'])
    batch = default_collate([twice[i] for i in range(len(twice))])
    assert_same(stacked(batch), stacked(default_collate([dataset[i] for i in range(len(dataset))] * 2)))


def test_the_wrong_collate_function_says_which_is_right(pack, monkeypatch):
    cfg = packed_config(pack, monkeypatch)
    for name in ('default_collate', 'pseudo_collate'):
        with pytest.raises(ConfigError, match=r"PackedFaces gives whole batches: set collate_fn=dict\(type='packed_"):
            next(iter(loader(cfg, 'train', collate_fn=dict(type=name))))
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=cfg.train_dataloader.dataset)
    with pytest.raises(ConfigError, match=r"packed_collate is for PackedFaces .* collate_fn=dict\(type='default_"):
        next(iter(loader(cfg, 'train')))


@pytest.mark.parametrize('device', [None, 'cpu'])
def test_subsets_and_copies_share_the_images(pack, device):
    dataset = PackedFaces(pack, device=device, indices=list(range(3, 40, 2)))
    expected = stacked(dataset.__getitems__([0, 2, 18, -1, 0]))
    kept = dataset.get_subset([18, 2, 0])
    assert len(kept) == 3 and len(dataset) == 19 and kept.images is dataset.images
    assert_same(stacked(kept.__getitems__([2, 1, 0, 0, 2])), expected)
    assert torch.equal(kept[1]['inputs'], dataset[2]['inputs'])
    assert copy.deepcopy(dataset).images is dataset.images
    assert [len(dataset.get_subset(4)), len(dataset.get_subset(-4))] == [4, 4]
    assert torch.equal(dataset.get_subset(-4)[0]['inputs'], dataset[15]['inputs'])
    kept.get_subset_([0])
    assert len(kept) == 1 and torch.equal(kept[0]['inputs'], dataset[18]['inputs'])
    with pytest.raises(IndexError):
        dataset.__getitems__([19])


@pytest.mark.parametrize('device', [None, 'cpu'])
def test_a_pickle_opens_the_pack_again(pack, device):
    """40 images would be 1.5 MB."""
    dataset = PackedFaces(pack, device=device, indices=40)
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 50_000
    rows = [7, 39, 0]
    assert_same(stacked(pickle.loads(pickled).__getitems__(rows)), stacked(dataset.__getitems__(rows)))


@pytest.mark.parametrize('device', ['cpu', pytest.param('cuda', marks=NEEDS_GPU)])
def test_images_may_be_on_a_device(pack, monkeypatch, device):
    cfg = packed_config(pack, monkeypatch)
    on_disk = loader(cfg, 'train')
    cfg.train_dataloader.dataset.device = device
    loaded = loader(cfg, 'train')
    assert len(loaded.dataset.images.images) == len(loaded.dataset)
    for one, other in zip(on_disk, loaded, strict=True):
        assert other['inputs'].device.type == device
        assert_same(stacked(one), [field.cpu() for field in stacked(other)])


@pytest.mark.parametrize(
    'pipeline, message',
    [
        ([dict(type='Resize', scale=(72, 72), interpolation='area')], r'with scale \(112, 112\), .* has \(72, 72\)'),
        ([dict(type='Resize', scale=(112, 112))], "packed with interpolation 'area', but the pipeline has 'bilinear'"),
        ([dict(type='Resize', scale=112, backend='pillow', interpolation='area')], "packed with backend 'cv2'"),
        ([dict(type='LoadImageFromFile', imdecode_backend='pillow')], "packed with imdecode_backend 'cv2'"),
        ([dict(type='RandomFlip', prob=0.5)], 'runs no RandomFlip: remove it from the pipeline'),
    ],
)
def test_a_pipeline_that_gives_other_images_is_rejected(pack, pipeline, message):
    lazy = PackedFaces(pack, pipeline=pipeline, lazy_init=True)
    with pytest.raises(ConfigError, match=message):
        lazy.full_init()


def test_an_identity_in_two_splits_is_rejected(faces, tmp_path):
    """A pack keeps what the lists say, and each protocol judges it when it is used."""
    (tmp_path / 'img_align_celeba').symlink_to(faces / 'img_align_celeba')
    for path in faces.glob('*.txt'):
        (tmp_path / path.name).write_text(path.read_text())
    partition = tmp_path / 'list_eval_partition.txt'
    partition.write_text(partition.read_text().replace(' 0', ' 2', 1))
    packing.write_pack(tmp_path, tmp_path / 'pack', size=4, jobs=1)
    with pytest.raises(DataError, match=r'pack: identity \d+ is in both train .* and test'):
        PackedFaces(str(tmp_path / 'pack'))
    assert len(PackedFaces(str(tmp_path / 'pack'), protocol='kfold')) > 40


def losses(model_cfg, batches):
    """Of a few steps, each of which depends on those before."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(model_cfg)
    model.init_weights()
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    found = []
    for batch in batches:
        step = model(**model.data_preprocessor(batch, training=True), mode='loss')
        optimizer.zero_grad()
        sum(step.values()).backward()
        optimizer.step()
        found.append([value.item() for value in step.values()])
    return np.array(found)


TINY = {
    'model.backbone.width': 0.0625,
    'model.head.attr_head.in_channels': 192,
    'model.head.attr_head.hidden_dims': (8, 8),
    'model.head.id_head.in_channels': 192,
    'model.head.id_head.embedding_dims': 8,
    'model.head.id_head.num_identities': 14,
}


def test_training_has_the_losses_of_the_files(faces, pack, monkeypatch):
    cfg = Config.fromfile(CONFIGS / 'imcnn_demo.py')
    cfg.merge_from_dict(TINY)
    stock = losses(cfg.model, loader(stock_config(faces, monkeypatch), 'train', num_workers=0))
    packed = losses(cfg.model, loader(packed_config(pack, monkeypatch), 'train'))
    assert stock.shape == (5, 2) and np.ptp(stock[:, 0]) > 0.1
    np.testing.assert_allclose(packed, stock, rtol=1e-4)


def test_a_run_from_the_pack_reports_what_one_from_the_files_does(faces, pack, tmp_path):
    """Training, validation and test with the hooks and metrics of the configs."""
    to_pack = {
        f'{split}_dataloader.{key}': value
        for split in ('train', 'val', 'test')
        for key, value in {'dataset.type': 'PackedFaces', 'collate_fn.type': 'packed_collate'}.items()
    }
    resize = dict(type='Resize', scale=(112, 112), interpolation='area')
    common = {
        **TINY,
        **{f'{split}_dataloader.dataset.pipeline.1': resize for split in ('train', 'val', 'test')},
        **{f'{split}_dataloader.num_workers': 0 for split in ('train', 'val', 'test')},
        'train_dataloader.batch_size': 16,
        'test_dataloader.batch_size': 5,
        'train_cfg.max_epochs': 1,
        'param_scheduler.T_max': 2,
    }
    reports = []
    for root, options in ((faces, {}), (pack, to_pack)):
        folder = tmp_path / str(len(reports))
        cfg = load_config(CONFIGS / 'imcnn_demo.py', str(root), str(folder), {**common, **options})
        train_and_test(build_runner(cfg))
        reports.append(json.loads((folder / 'per_attribute.json').read_text()))
    stock, packed = reports
    for key in ('checksums', 'split', 'num_images', 'num_identities'):
        assert packed[key] == stock[key]
    assert packed['num_images'] == 16
    prevalence = [[values['prevalence'] for values in report['attributes'].values()] for report in reports]
    assert prevalence[0] == prevalence[1]
    # One of 16 images x 40 labels is 0.16 %.
    assert packed['mean_accuracy'] == pytest.approx(stock['mean_accuracy'], abs=0.4)


def test_attributes_may_be_chosen(faces, pack):
    classes = ['Young', 'Male']
    packed, files = PackedFaces(pack, classes=classes), CelebAIdentity(str(faces), classes=classes)
    batch = packed.__getitems__([0, 3])['data_samples']
    assert batch.gt_score.tolist() == [files[row]['gt_score'].tolist() for row in (0, 3)]
