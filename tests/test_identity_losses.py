"""projects/identity_losses: each class against an independent computation."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmpretrain.registry import DATA_SAMPLERS, DATASETS, HOOKS, MODELS
from mmpretrain.structures import DataSample

from imcnn_plugin.datasets.packing import write_pack
from imcnn_plugin.engine import load_config
from imcnn_plugin.evaluation.identity_agreement import agreement_beyond_chance

FOLDER = Path(__file__).resolve().parents[1] / 'projects' / 'identity_losses'
IDENTITY = torch.tensor([4, 1, 4, -1, 1, 4, 0, -1])
PAIRS = [(0, 2), (0, 5), (2, 5), (1, 4)]


@pytest.fixture(scope='module', autouse=True)
def losses():
    sys.path.insert(0, str(FOLDER))
    load_config(FOLDER / 'configs' / 'identity_losses_celeba_mini.py')
    yield sys.modules['identity_losses']
    sys.path.remove(str(FOLDER))


def sample(labels=2):
    rng = torch.Generator().manual_seed(0)
    score = torch.randint(0, 2, (len(IDENTITY), labels), generator=rng).float()
    return DataSample(gt_score=score, gt_identity=IDENTITY, identity=IDENTITY)


def joint_head(type, **options):
    attr_head = dict(
        type='mmpretrain.GroupedMultiLabelHead', classes=['a', 'b'], in_channels=6,
        groups=[dict(name='all', labels=['a', 'b'])],
    )  # fmt: skip
    id_head = dict(type='mmpretrain.IdentityHead', num_identities=5, in_channels=6, embedding_dims=3)
    torch.manual_seed(0)
    return MODELS.build(dict(type=f'mmpretrain.{type}', attr_head=attr_head, id_head=id_head, **options))


def id_head(type, **options):
    torch.manual_seed(0)
    config = dict(type=f'mmpretrain.{type}', num_identities=5, in_channels=6, embedding_dims=3, **options)
    return MODELS.build(config)


def test_the_margin_is_subtracted_from_the_target_cosine():
    head, feats = id_head('CosineIdentityHead', scale=7.0, margin=0.2), torch.randn(8, 6)
    embedding = head.embedding(feats)
    losses = []
    for x, identity in zip(embedding, IDENTITY.tolist()):
        if identity >= 0:
            cosines = F.cosine_similarity(x, head.fc.weight)
            cosines[identity] -= 0.2
            losses.append(-(7 * cosines).log_softmax(0)[identity])
    found = head.loss(feats, sample())['loss_id']
    assert found.item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-5)


def test_the_contrastive_loss_is_a_mean_over_pairs():
    head, feats = id_head('ContrastiveIdentityHead', temperature=0.5), torch.randn(8, 6)
    x = F.normalize(head.embedding(feats))
    losses = []
    for i in {i for pair in PAIRS for i in pair}:
        others = [j for j in range(8) if j != i]
        logs = torch.stack([x[i] @ x[j] / 0.5 for j in others]).log_softmax(0)
        same = [others.index(j) for pair in PAIRS if i in pair for j in pair if j != i]
        losses.append(-logs[same].mean())
    found = head.loss(feats, sample())['loss_id']
    assert found.item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-5)
    found.backward()
    assert head.embedding.weight.grad.isfinite().all() and head.embedding.weight.grad.any()


@pytest.mark.parametrize('attributes', [None, ['b']])
def test_the_pair_loss_is_the_squared_difference_within_an_identity(attributes):
    head, feats = joint_head('ConsistentHead', pair_weight=2.0, attributes=attributes), (torch.randn(8, 6),)
    p = head(feats).sigmoid()[:, 1 if attributes else 0 :]
    expected = 2 * np.mean([(p[i] - p[j]).square().sum().item() for i, j in PAIRS])
    losses = head.loss(feats, sample())
    assert losses['loss_pair'].item() == pytest.approx(expected, rel=1e-5)
    assert list(losses) == ['loss_attr', 'loss_id', 'loss_pair']


def test_the_identity_gradient_is_a_share_of_the_attribute_gradient():
    head, f = joint_head('BalancedHead', ratio=0.25), torch.randn(8, 6, requires_grad=True)
    losses = head.loss((f,), sample())
    sum(losses.values()).backward()
    plain, g = joint_head('JointHead'), f.detach().clone().requires_grad_()
    parts = plain.loss((g,), sample())
    of_attr, of_id = (torch.autograd.grad(parts[key], g, retain_graph=True)[0] for key in ('loss_attr', 'loss_id'))
    torch.testing.assert_close(f.grad, of_attr + 0.25 * of_attr.norm() / of_id.norm() * of_id)
    assert losses['loss_id'].item() == pytest.approx(parts['loss_id'].item())
    # The identity branch itself is not scaled.
    parts['loss_id'].backward()
    torch.testing.assert_close(head.id_head.fc.weight.grad, plain.id_head.fc.weight.grad)


@pytest.mark.parametrize('down, expected', [(False, [0, 0.4, 0.8, 0.8]), (True, [0.8, 0.4, 0, 0])])
def test_lambda_changes_over_the_first_epochs(down, expected):
    loss = SimpleNamespace(id_weight=0.8)
    runner = SimpleNamespace(
        model=SimpleNamespace(head=SimpleNamespace(loss_module=loss)), train_dataloader=range(10), iter=0
    )
    hook = HOOKS.build(dict(type='mmpretrain.IdentityWarmupHook', epochs=2, down=down))
    hook.before_train(runner)
    for runner.iter, value in zip((0, 10, 20, 35), expected):
        hook.before_train_iter(runner, 0)
        assert loss.id_weight == pytest.approx(value)


def test_images_of_an_identity_follow_each_other(losses):
    identity = np.random.default_rng(0).integers(-1, 12, 90)

    class Faces(list):
        data_list = SimpleNamespace(identity=identity)

    sampler = losses.IdentitySampler(Faces(identity), images=3, seed=1)
    order = list(sampler)
    assert sorted(order) == list(range(90))
    changes = (np.diff(identity[order]) != 0).sum() + 1
    known, counts = np.unique(identity[identity >= 0], return_counts=True)
    assert changes <= np.ceil(counts / 3).sum() + (identity < 0).sum() < 60
    sampler.set_epoch(1)
    assert list(sampler) != order
    sampler.set_epoch(0)
    sampler.first = 20
    assert list(sampler) == order[20:]


@pytest.fixture(scope='module')
def pack(faces, tmp_path_factory):
    return write_pack(faces, tmp_path_factory.mktemp('losses') / 'pack', size=16, jobs=1).path


def test_training_splits_with_fewer_identities_or_labels(pack):
    def records(type, split, **options):
        dataset = DATASETS.build(dict(type=f'mmpretrain.{type}', data_root=str(pack), split=split, **options))
        dataset.full_init()
        return dataset.data_list

    whole, test = records('PackedFaces', 'train'), records('PackedFaces', 'test')
    # Each of the 14 identities has 4 images.
    assert len(records('FrequentFaces', 'train', min_images_per_identity=4)) == len(whole) == 56
    assert len(records('FrequentFaces', 'train', min_images_per_identity=5)) == 0
    assert len(records('FrequentFaces', 'test', min_images_per_identity=5)) == len(test)
    scarce = records('ScarceFaces', 'train', labelled=0.5)
    unknown = (scarce.gt_score < 0).all(1)
    assert 15 < unknown.sum() < 41 and (scarce.gt_score[~unknown] == whole.gt_score[~unknown]).all()
    assert (scarce.gt_identity == whole.gt_identity).all()
    assert (records('ScarceFaces', 'test', labelled=0.5).gt_score == test.gt_score).all()


def test_stable_labels_are_moved_to_their_mean_over_an_identity(pack):
    def labels(type, **options):
        dataset = DATASETS.build(dict(type=f'mmpretrain.{type}', data_root=str(pack), split='train', **options))
        dataset.full_init()
        return dataset.data_list.gt_score, dataset.data_list.identity

    own, identity = labels('PackedFaces')
    beyond_chance, _ = agreement_beyond_chance(own, identity)
    stable = (beyond_chance >= 0.2) & (beyond_chance < 1)
    assert stable.any() and (beyond_chance < 0.2).any()
    moved, _ = labels('IdentityLabels', share=0.5, stays=0.2)
    voted, _ = labels('IdentityLabels', vote=True, stays=0.2)
    assert (moved[:, beyond_chance < 0.2] == own[:, beyond_chance < 0.2]).all()
    for value in np.unique(identity):
        images = identity == value
        expected = own[images] / 2 + own[images].mean(0) / 2
        np.testing.assert_allclose(moved[images][:, stable], expected[:, stable])
        for label in np.flatnonzero(stable):
            values = own[images, label].tolist()
            yes, no = values.count(1), values.count(0)
            assert set(voted[images, label]) == {1.0 if yes > no else 0.0 if no > yes else 0.5}
    # An image without labels gets those of the other images of its identity, if they have any.
    scarce, _ = labels('ScarceFaces', labelled=0.3)
    filled, _ = labels('IdentityLabels', labelled=0.3, stays=-1)
    unknown, defined = scarce[:, 0] < 0, ~np.isnan(agreement_beyond_chance(scarce, identity)[0])
    for value in np.unique(identity):
        images = identity == value
        known = images & ~unknown
        expected = scarce[known].mean(0) if known.any() else np.full(scarce.shape[1], -1)
        np.testing.assert_allclose(filled[images][:, defined], np.tile(expected[defined], (images.sum(), 1)))
    assert (filled[unknown][:, ~defined] == -1).all()


def test_configs_and_old_names(losses):
    """Checkpoints hold configs with the former names."""
    assert DATA_SAMPLERS.get('PersonSampler') is losses.IdentitySampler
    assert DATASETS.get('PersonLabels') is losses.IdentityLabels
    cfg = load_config(FOLDER / 'configs' / 'resnet18_linear_head_celeba_mini.py')
    assert cfg.model.head == dict(type='MultiLabelLinearClsHead', num_classes=40, in_channels=512, thr=0.5)
