"""Alternatives to the paper's identity loss, registered for use in configs and on command lines; see README.md."""

from typing import Iterator, Optional

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from mmpretrain.models.heads.margin_head import NormProduct
from mmpretrain.registry import DATA_SAMPLERS, DATASETS, HOOKS, MODELS
from mmpretrain.utils import get_ori_model

from imcnn_plugin.datasets.packed_faces import PackedFaces
from imcnn_plugin.datasets.resumable_sampler import ResumableSampler
from imcnn_plugin.evaluation import STABLE_AGREEMENT, agreement_beyond_chance, sum_by_identity
from imcnn_plugin.models.batch_fields import batch_field
from imcnn_plugin.models.identity_head import IdentityHead
from imcnn_plugin.models.joint_head import JointHead
from imcnn_plugin.models.losses import identity_loss, valid_count


@MODELS.register_module()
class CosineIdentityHead(IdentityHead):
    """Softmax over scaled cosines with a margin on the target class (CosFace, arXiv 1801.09414, eq. 4).

    Args:
        scale: Factor on the cosines.
        margin: Subtracted from the cosine of the target identity, between 0 and 1.
    """

    def __init__(self, *args, scale: float = 16.0, margin: float = 0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.scale = scale
        self.margin = margin
        self.fc = NormProduct(self.fc.in_features, self.num_identities)

    def loss(self, feats, data_samples):
        cosines = self(feats).float()
        identity = batch_field(data_samples, 'gt_identity', cosines.device).long()
        margins = self.margin * F.one_hot(identity.clamp(min=0), self.num_identities)
        return dict(loss_id=identity_loss(self.scale * (cosines - margins), identity, self.sync_avg_factor))


def _same_identity(identity: torch.Tensor) -> torch.Tensor:
    """Booleans ``(N, N)``: whether two images are different and of the same known identity."""
    same = (identity[:, None] == identity) & (identity >= 0)
    return same.fill_diagonal_(False)


@MODELS.register_module()
class ContrastiveIdentityHead(IdentityHead):
    """Supervised contrastive loss (arXiv 2004.11362, eq. 2): verification within a batch instead of classification.

    An image must be closer to the other images of its identity than to those of other identities. Needs batches of
    :class:`IdentitySampler`.

    Args:
        temperature: Divisor of the cosines.
    """

    def __init__(self, *args, temperature: float = 0.1, **kwargs):
        super().__init__(*args, **kwargs)
        self.temperature = temperature
        del self.fc

    def loss(self, feats, data_samples):
        embedding = F.normalize(self.pre_logits(feats).float())
        identity = batch_field(data_samples, 'gt_identity', embedding.device)
        same = _same_identity(identity)
        logits = embedding @ embedding.T / self.temperature
        logits.fill_diagonal_(-torch.inf)
        share = logits.log_softmax(1).masked_fill(~same, 0).sum(1) / same.sum(1).clamp(min=1)
        return dict(loss_id=-share.sum() / valid_count(same.any(1), self.sync_avg_factor))


@MODELS.register_module()
class ConsistentHead(JointHead):
    """Adds a loss on pairs of images of an identity: the squared difference of their attribute probabilities.

    It is summed over attributes and averaged over pairs. Needs batches of :class:`IdentitySampler`.

    Args:
        pair_weight: Weight of this loss.
        attributes: Names of the attributes that it applies to; all by default.
    """

    def __init__(self, *args, pair_weight: float = 1.0, attributes: Optional[list] = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.pair_weight = pair_weight
        chosen = attributes or self.attr_head.classes
        self.chosen = [name in chosen for name in self.attr_head.classes]

    def loss(self, feats, data_samples):
        losses = super().loss(feats, data_samples)
        p = self(feats).float().sigmoid()[:, self.chosen]
        same = _same_identity(batch_field(data_samples, 'identity', p.device))
        distance = (p[:, None] - p).square().sum(2)
        count = valid_count(same.flatten(), self.attr_head.sync_avg_factor)
        losses['loss_pair'] = self.pair_weight * (distance * same).sum() / count
        return losses


@MODELS.register_module()
class BalancedHead(JointHead):
    """Scales the gradient of the identity loss at the backbone's output F to a fixed share of the attribute loss's.

    Args:
        ratio: Norm of the gradient of the identity loss at F over that of the attribute loss.
    """

    def __init__(self, *args, ratio: float = 0.3, **kwargs):
        super().__init__(*args, **kwargs)
        self.ratio = ratio

    def loss(self, feats, data_samples):
        f = feats[-1]
        if not f.requires_grad:
            return super().loss(feats, data_samples)
        f_id = f.detach().requires_grad_()
        losses = super().loss((f,), data_samples)
        loss_id = self.id_head.loss((f_id,), data_samples)['loss_id']
        [grad_attr] = torch.autograd.grad(losses['loss_attr'], f, retain_graph=True)
        [grad_id] = torch.autograd.grad(loss_id, f_id, retain_graph=True)
        factor = self.ratio * grad_attr.float().norm() / grad_id.float().norm().clamp(min=1e-12)
        # Its value is 0 and its gradient at F the scaled one; loss_id itself only reaches the identity branch.
        scaled = ((f - f.detach()).float() * (factor * grad_id.float())).sum()
        losses['loss_id'] = loss_id + scaled
        return losses


@HOOKS.register_module()
class IdentityWarmupHook(Hook):
    """Raises lambda linearly from 0 to its value over the first epochs.

    Args:
        epochs: Number of epochs.
        down: Lower lambda from its value to 0 instead.
    """

    def __init__(self, epochs: float, down: bool = False):
        self.epochs = epochs
        self.down = down

    def before_train(self, runner) -> None:
        self.loss = get_ori_model(runner.model).head.loss_module
        self.weight = self.loss.id_weight
        self.steps = self.epochs * len(runner.train_dataloader)

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        share = min(1, runner.iter / self.steps)
        self.loss.id_weight = self.weight * (1 - share if self.down else share)


@DATA_SAMPLERS.register_module(name=['IdentitySampler', 'PersonSampler'])
class IdentitySampler(ResumableSampler):
    """Samples each image once per epoch, with up to K images of an identity in a row. For a single process.

    Args:
        images: K.
    """

    def __init__(self, dataset, images: int = 4, **kwargs):
        super().__init__(dataset, **kwargs)
        self.images = images

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        identity = self.dataset.data_list.identity
        # Each image of unknown identity is an identity of its own.
        identity = np.where(identity >= 0, identity, -1 - np.arange(len(identity)))
        order = np.lexsort((rng.permutation(len(identity)), identity))
        starts = np.flatnonzero(np.diff(identity[order], prepend=np.nan) != 0)
        cuts = [np.arange(a, b, self.images) for a, b in zip(starts, np.append(starts[1:], len(order)))]
        groups = np.split(order, np.concatenate(cuts)[1:])
        indices = np.concatenate([groups[i] for i in rng.permutation(len(groups))])
        return iter(indices[self.first :].tolist())


@DATASETS.register_module()
class FrequentFaces(PackedFaces):
    """Drops the training images of identities with fewer than ``min_images_per_identity`` images."""

    def _select(self, *args):
        rows, gt_identity = super()._select(*args)
        keep = slice(None) if self.split != 'train' else gt_identity >= 0
        return rows[keep], gt_identity[keep]


@DATASETS.register_module()
class ScarceFaces(PackedFaces):
    """Drops the attributes of all but a share of the training images; all keep their identity.

    Args:
        labelled: The share that keeps its attributes.
    """

    def __init__(self, *args, labelled: float = 1.0, **kwargs):
        self.labelled = labelled
        super().__init__(*args, **kwargs)

    def load_data_list(self):
        records = super().load_data_list()
        if self.split == 'train':
            known = np.random.default_rng(0).random(len(records)) < self.labelled
            records.gt_score = np.where(known[:, None], records.gt_score, -1)
        return records


@DATASETS.register_module(name=['IdentityLabels', 'PersonLabels'])
class IdentityLabels(ScarceFaces):
    """Moves the training labels of identity-stable attributes towards their mean over the known ones of an identity.

    Args:
        share: How far, from 0 to 1; at 1 all images of an identity have the same targets.
        vote: Move them towards the majority class instead of the mean.
        stays: The least within-identity agreement of the training labels, beyond chance, of a stable attribute.
    """

    def __init__(self, *args, share: float = 1.0, vote: bool = False, stays: float = STABLE_AGREEMENT, **kwargs):
        self.share = share
        self.vote = vote
        self.stays = stays
        super().__init__(*args, **kwargs)

    def load_data_list(self):
        records = super().load_data_list()
        if self.split == 'train':
            score, identity = records.gt_score, records.identity
            beyond_chance, _ = agreement_beyond_chance(score, identity)
            sums, index = sum_by_identity(identity, score >= 0, score == 1)
            count, positive = sums[:, index]
            mean = positive / count.clip(1)
            if self.vote:
                # A tie is one half.
                mean = (1 + np.sign(2 * mean - 1)) / 2
            own = np.where(score >= 0, score, mean)
            moved = (identity >= 0)[:, None] & (beyond_chance >= self.stays) & (count > 0)
            records.gt_score = np.where(moved, own + self.share * (mean - own), score)
        return records
