"""projects/identity_losses/identity_losses.py: each part against what it is said to compute."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmpretrain.registry import DATASETS, HOOKS, MODELS
from mmpretrain.structures import DataSample

from imcnn_plugin.datasets.packing import write_pack
from imcnn_plugin.evaluation.attribute_scores import agreement_beyond_chance

FOLDER = Path(__file__).resolve().parents[1] / 'projects' / 'identity_losses'
IDENTITY = torch.tensor([4, 1, 4, -1, 1, 4, 0, -1])
PERSONS = [(0, 2), (0, 5), (2, 5), (1, 4)]


@pytest.fixture(scope='module', autouse=True)
def trials():
    sys.path.insert(0, str(FOLDER))
    Config.fromfile(FOLDER / 'trials_mini.py')
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


def test_the_margin_is_taken_off_the_right_cosine():
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


def test_the_contrastive_loss_is_that_of_pairs():
    head, feats = id_head('ContrastiveIdentityHead', temperature=0.5), torch.randn(8, 6)
    x = F.normalize(head.embedding(feats))
    losses = []
    for i in {i for pair in PERSONS for i in pair}:
        others = [j for j in range(8) if j != i]
        logs = torch.stack([x[i] @ x[j] / 0.5 for j in others]).log_softmax(0)
        same = [others.index(j) for pair in PERSONS if i in pair for j in pair if j != i]
        losses.append(-logs[same].mean())
    found = head.loss(feats, sample())['loss_id']
    assert found.item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-5)
    found.backward()
    assert head.embedding.weight.grad.isfinite().all() and head.embedding.weight.grad.any()


@pytest.mark.parametrize('attributes', [None, ['b']])
def test_probabilities_of_a_person_are_drawn_together(attributes):
    head, feats = joint_head('ConsistentHead', pair_weight=2.0, attributes=attributes), (torch.randn(8, 6),)
    p = head(feats).sigmoid()[:, 1 if attributes else 0 :]
    expected = 2 * np.mean([(p[i] - p[j]).square().sum().item() for i, j in PERSONS])
    losses = head.loss(feats, sample())
    assert losses['loss_pair'].item() == pytest.approx(expected, rel=1e-5)
    assert list(losses) == ['loss_attr', 'loss_id', 'loss_pair']


def test_the_identity_loss_moves_the_backbone_by_a_share_of_the_attribute_loss():
    head, f = joint_head('BalancedHead', ratio=0.25), torch.randn(8, 6, requires_grad=True)
    losses = head.loss((f,), sample())
    sum(losses.values()).backward()
    plain, g = joint_head('JointHead'), f.detach().clone().requires_grad_()
    parts = plain.loss((g,), sample())
    of_attr, of_id = (torch.autograd.grad(parts[key], g, retain_graph=True)[0] for key in ('loss_attr', 'loss_id'))
    torch.testing.assert_close(f.grad, of_attr + 0.25 * of_attr.norm() / of_id.norm() * of_id)
    assert losses['loss_id'].item() == pytest.approx(parts['loss_id'].item())
    # The branch itself learns as ever.
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


def test_images_of_a_person_follow_each_other(trials):
    identity = np.random.default_rng(0).integers(-1, 12, 90)

    class Faces(list):
        data_list = SimpleNamespace(identity=identity)

    sampler = trials.PersonSampler(Faces(identity), images=3, seed=1)
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
    return write_pack(faces, tmp_path_factory.mktemp('trials') / 'pack', size=16, jobs=1).path


def test_training_parts_with_fewer_persons_or_labels(pack):
    def part(type, split, **options):
        dataset = DATASETS.build(dict(type=f'mmpretrain.{type}', data_root=str(pack), split=split, **options))
        dataset.full_init()
        return dataset.data_list

    whole, test = part('PackedFaces', 'train'), part('PackedFaces', 'test')
    # Each of the 14 persons has 4 images.
    assert len(part('FrequentFaces', 'train', min_images_per_identity=4)) == len(whole) == 56
    assert len(part('FrequentFaces', 'train', min_images_per_identity=5)) == 0
    assert len(part('FrequentFaces', 'test', min_images_per_identity=5)) == len(test)
    scarce = part('ScarceFaces', 'train', labelled=0.5)
    unknown = (scarce.gt_score < 0).all(1)
    assert 15 < unknown.sum() < 41 and (scarce.gt_score[~unknown] == whole.gt_score[~unknown]).all()
    assert (scarce.gt_identity == whole.gt_identity).all()
    assert (part('ScarceFaces', 'test', labelled=0.5).gt_score == test.gt_score).all()


def test_labels_that_stay_are_moved_to_their_mean_over_a_person(pack):
    def labels(type, **options):
        dataset = DATASETS.build(dict(type=f'mmpretrain.{type}', data_root=str(pack), split='train', **options))
        dataset.full_init()
        return dataset.data_list.gt_score, dataset.data_list.identity

    own, identity = labels('PackedFaces')
    beyond_chance, _ = agreement_beyond_chance(own, identity)
    stays = (beyond_chance >= 0.2) & (beyond_chance < 1)
    assert stays.any() and (beyond_chance < 0.2).any()
    moved, _ = labels('PersonLabels', share=0.5, stays=0.2)
    voted, _ = labels('PersonLabels', vote=True, stays=0.2)
    assert (moved[:, beyond_chance < 0.2] == own[:, beyond_chance < 0.2]).all()
    for person in np.unique(identity):
        images = identity == person
        expected = own[images] / 2 + own[images].mean(0) / 2
        np.testing.assert_allclose(moved[images][:, stays], expected[:, stays])
        for label in np.flatnonzero(stays):
            said = own[images, label].tolist()
            yes, no = said.count(1), said.count(0)
            assert set(voted[images, label]) == {1.0 if yes > no else 0.0 if no > yes else 0.5}
    # An image without labels gets those of its person, where another has some.
    scarce, _ = labels('ScarceFaces', labelled=0.3)
    filled, _ = labels('PersonLabels', labelled=0.3, stays=-1)
    unknown, lasting = scarce[:, 0] < 0, ~np.isnan(agreement_beyond_chance(scarce, identity)[0])
    for person in np.unique(identity):
        images = identity == person
        known = images & ~unknown
        expected = scarce[known].mean(0) if known.any() else np.full(scarce.shape[1], -1)
        np.testing.assert_allclose(filled[images][:, lasting], np.tile(expected[lasting], (images.sum(), 1)))
    assert (filled[unknown][:, ~lasting] == -1).all()
