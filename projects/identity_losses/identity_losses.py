"""Other uses of identities in training than the paper's, as parts that configs and command lines can name.

What each of them gave is in docs/results.md. trials_mini.py has them at hand:

PYTHONPATH=projects/identity_losses python tools/train.py projects/identity_losses/trials_mini.py --cfg-options \\
    model.head.id_head.type=CosineIdentityHead model.head.id_head.margin=0.1
"""

from typing import Iterator, Optional

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from mmpretrain.models.heads.margin_head import NormProduct
from mmpretrain.registry import DATA_SAMPLERS, DATASETS, HOOKS, MODELS

from imcnn_plugin.datasets.packed_faces import PackedFaces
from imcnn_plugin.datasets.resumable_sampler import ResumableSampler
from imcnn_plugin.evaluation.attribute_scores import LASTING, agreement_beyond_chance, sums_by_person
from imcnn_plugin.models.features import batch_field
from imcnn_plugin.models.identity_head import IdentityHead
from imcnn_plugin.models.joint_head import JointHead
from imcnn_plugin.models.joint_loss import identity_loss, known_count


@MODELS.register_module()
class CosineIdentityHead(IdentityHead):
    """Softmax over scaled cosines, with a margin that is taken off the right identity's (CosFace, arXiv 1801.09414).

    Args:
        scale: Factor of the cosines.
        margin: Between 0 and 1.
    """

    def __init__(self, *args, scale: float = 16.0, margin: float = 0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.scale = scale
        self.margin = margin
        self.fc = NormProduct(self.fc.in_features, self.num_identities)

    def loss(self, feats, data_samples):
        cosines = self(feats).float()
        identity = batch_field(data_samples, 'gt_identity', cosines.device).long()
        off = self.margin * F.one_hot(identity.clamp(min=0), self.num_identities)
        return dict(loss_id=identity_loss(self.scale * (cosines - off), identity))


def same_person(identity: torch.Tensor) -> torch.Tensor:
    """Booleans ``(N, N)``: two different images of one known person."""
    same = (identity[:, None] == identity) & (identity >= 0)
    return same.fill_diagonal_(False)


@MODELS.register_module()
class ContrastiveIdentityHead(IdentityHead):
    """Verification in place of classification: an image is to be nearer to others of its person than to those of
    other persons in the batch (supervised contrastive loss, arXiv 2004.11362). Wants :class:`PersonSampler`.

    Args:
        temperature: Divides the cosines.
    """

    def __init__(self, *args, temperature: float = 0.1, **kwargs):
        super().__init__(*args, **kwargs)
        self.temperature = temperature
        del self.fc

    def loss(self, feats, data_samples):
        embedding = F.normalize(self.pre_logits(feats).float())
        identity = batch_field(data_samples, 'gt_identity', embedding.device)
        same = same_person(identity)
        logits = embedding @ embedding.T / self.temperature
        logits.fill_diagonal_(-torch.inf)
        share = logits.log_softmax(1).masked_fill(~same, 0).sum(1) / same.sum(1).clamp(min=1)
        return dict(loss_id=-share.sum() / known_count(same.any(1)))


@MODELS.register_module()
class ConsistentHead(JointHead):
    """Adds the squared difference of a person's attribute probabilities, summed over attributes: the mean over pairs.

    Args:
        pair_weight: Of this loss. Wants batches of :class:`PersonSampler`.
        attributes: Whose probabilities are drawn together; all by default.
    """

    def __init__(self, *args, pair_weight: float = 1.0, attributes: Optional[list] = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.pair_weight = pair_weight
        chosen = attributes or self.attr_head.classes
        self.chosen = [name in chosen for name in self.attr_head.classes]

    def loss(self, feats, data_samples):
        losses = super().loss(feats, data_samples)
        p = self(feats).float().sigmoid()[:, self.chosen]
        same = same_person(batch_field(data_samples, 'identity', p.device))
        apart = (p[:, None] - p).square().sum(2)
        losses['loss_pair'] = self.pair_weight * (apart * same).sum() / known_count(same.flatten())
        return losses


@MODELS.register_module()
class BalancedHead(JointHead):
    """The identity loss moves the backbone by a fixed share of the attribute loss' gradient, whatever its own size.

    Args:
        ratio: Norm of the identity loss' gradient at F over that of the attribute loss.
    """

    def __init__(self, *args, ratio: float = 0.3, **kwargs):
        super().__init__(*args, **kwargs)
        self.ratio = ratio

    def loss(self, feats, data_samples):
        f = feats[-1]
        if not f.requires_grad:
            return super().loss(feats, data_samples)
        apart = f.detach().requires_grad_()
        losses = super().loss((f,), data_samples)
        loss_id = self.id_head.loss((apart,), data_samples)['loss_id']
        [of_attr] = torch.autograd.grad(losses['loss_attr'], f, retain_graph=True)
        [of_id] = torch.autograd.grad(loss_id, apart, retain_graph=True)
        factor = self.ratio * of_attr.float().norm() / of_id.float().norm().clamp(min=1e-12)
        # Its value is 0, its gradient at F the scaled one; the branch's own weights are trained by loss_id.
        pull = ((f - f.detach()).float() * (factor * of_id.float())).sum()
        losses['loss_id'] = loss_id + pull
        return losses


@HOOKS.register_module()
class IdentityWarmupHook(Hook):
    """Raises lambda from 0 to its value, linearly over the first epochs.

    Args:
        epochs: How many.
        down: Lower it from its value to 0 instead.
    """

    def __init__(self, epochs: float, down: bool = False):
        self.epochs = epochs
        self.down = down

    def before_train(self, runner) -> None:
        self.loss = runner.model.head.loss_module
        self.weight = self.loss.id_weight
        self.steps = self.epochs * len(runner.train_dataloader)

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        share = min(1, runner.iter / self.steps)
        self.loss.id_weight = self.weight * (1 - share if self.down else share)


@DATA_SAMPLERS.register_module()
class PersonSampler(ResumableSampler):
    """Each image once an epoch, but up to K images of a person follow each other. For one process.

    Args:
        images: K.
    """

    def __init__(self, dataset, images: int = 4, **kwargs):
        super().__init__(dataset, **kwargs)
        self.images = images

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        identity = self.dataset.data_list.identity
        # Images of unknown persons are persons of their own.
        person = np.where(identity >= 0, identity, -1 - np.arange(len(identity)))
        order = np.lexsort((rng.permutation(len(person)), person))
        starts = np.flatnonzero(np.diff(person[order], prepend=np.nan) != 0)
        cuts = [np.arange(a, b, self.images) for a, b in zip(starts, np.append(starts[1:], len(order)))]
        groups = np.split(order, np.concatenate(cuts)[1:])
        indices = np.concatenate([groups[i] for i in rng.permutation(len(groups))])
        return iter(indices[self.first :].tolist())


@DATASETS.register_module()
class FrequentFaces(PackedFaces):
    """Of the training part only the persons that have at least ``min_images_per_identity`` images."""

    def _select(self, *args):
        rows, gt_identity = super()._select(*args)
        keep = slice(None) if self.split != 'train' else gt_identity >= 0
        return rows[keep], gt_identity[keep]


@DATASETS.register_module()
class ScarceFaces(PackedFaces):
    """Of the training part only a share of images has known attributes; all keep their identity.

    Args:
        labelled: The share.
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


@DATASETS.register_module()
class PersonLabels(ScarceFaces):
    """Training labels of attributes that stay with a person are moved to their mean over that person's known ones.

    Args:
        share: How far: 0 not at all, 1 gives all images of a person the same targets.
        vote: Take what most of them say in place of the mean.
        stays: Attributes whose training labels agree within a person by so much beyond chance.
    """

    def __init__(self, *args, share: float = 1.0, vote: bool = False, stays: float = LASTING, **kwargs):
        self.share = share
        self.vote = vote
        self.stays = stays
        super().__init__(*args, **kwargs)

    def load_data_list(self):
        records = super().load_data_list()
        if self.split == 'train':
            score, identity = records.gt_score, records.identity
            beyond_chance, _ = agreement_beyond_chance(score, identity)
            sums, person = sums_by_person(identity, score >= 0, score == 1)
            count, positive = sums[:, person]
            mean = positive / count.clip(1)
            if self.vote:
                # Half each is nobody's vote.
                mean = (1 + np.sign(2 * mean - 1)) / 2
            own = np.where(score >= 0, score, mean)
            moved = (identity >= 0)[:, None] & (beyond_chance >= self.stays) & (count > 0)
            records.gt_score = np.where(moved, own + self.share * (mean - own), score)
        return records
