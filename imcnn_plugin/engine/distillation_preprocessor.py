from functools import cached_property
from typing import List, Sequence

import torch
from mmpretrain.registry import MODELS

from ..checkpoints.load_model import TrainedModel, load_model
from ..errors import ConfigError
from ..models import FacePreprocessor, GroupedMultiLabelHead
from ..models.batch_fields import batch_labels, set_scores


@MODELS.register_module()
class DistillationPreprocessor(FacePreprocessor):
    """A :class:`FacePreprocessor` that also trains on predictions of other models (distillation, Hinton et al. 2015).

    The target of a label is ``(1 - share) * label + share * p``; that of an unknown label is p. Here p is the mean
    probability of the teachers for the image, augmented as for the student.

    Args:
        teachers: Checkpoints of the teachers, which need the same labels in the same order and the same input size.
            They are loaded at the first training step and are not part of the student's checkpoint.
        share: Weight of the teachers in the target, from 0 to 1.
        **kwargs: Options of :class:`FacePreprocessor`.

    Raises:
        ConfigError: ``share`` is out of range, there is no teacher, or one has other labels or another normalization.
        DataError: A checkpoint cannot be read.
    """

    def __init__(self, teachers: Sequence[str], share: float = 0.5, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= share <= 1:
            raise ConfigError(f'share is {share}, expected 0 to 1')
        if not teachers:
            raise ConfigError('teachers is empty: name checkpoints, or use FacePreprocessor')
        self.teachers = [teachers] if isinstance(teachers, str) else list(teachers)
        self.share = share

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepares one batch; during training, ``gt_score`` is replaced with the targets."""
        data = super().forward(data, training)
        if training:
            samples, images = data['data_samples'], data['inputs']
            taught = self._predict(images)
            label = batch_labels(samples, taught.size(1), images.device).float()
            if label.shape != taught.shape:
                raise ConfigError(
                    f'{self.teachers[0]} predicts {taught.size(1)} labels, but the images have {label.size(1)}'
                )
            set_scores(samples, torch.where(label < 0, taught, torch.lerp(label, taught, self.share)))
        return data

    @torch.no_grad()
    def _predict(self, images: torch.Tensor) -> torch.Tensor:
        """The teachers' mean probabilities ``(N, L)``."""
        with torch.autocast(images.device.type, torch.bfloat16):
            logits = [trained.model(images, mode='tensor').float() for trained in self._models]
        for path, found in zip(self.teachers, logits):
            if found.shape != logits[0].shape:
                raise ConfigError(
                    f'{path} predicts {found.size(1)} labels, but {self.teachers[0]} {logits[0].size(1)}'
                )
        taught = []
        for trained, found in zip(self._models, logits):
            head = getattr(trained.model.head, 'attr_head', trained.model.head)
            # Heads of others are not calibrated.
            own = isinstance(head, GroupedMultiLabelHead)
            taught.append(head.probabilities(found) if own else found.sigmoid())
        return torch.stack(taught).mean(0)

    @cached_property
    def _models(self) -> List[TrainedModel]:
        # Building them draws random numbers, but a resumed run must repeat those of this step.
        with torch.random.fork_rng([self.device] if self.device.type == 'cuda' else []):
            # In a list, the teachers are not registered as submodules.
            return [self._load(path) for path in self.teachers]

    def _load(self, path: str) -> TrainedModel:
        trained = load_model(path, self.device)
        own, other = self, trained.model.data_preprocessor
        for key in ('mean', 'std', 'to_rgb'):
            if not torch.equal(torch.as_tensor(getattr(own, key)), torch.as_tensor(getattr(other, key))):
                raise ConfigError(f'{path}: data_preprocessor.{key} differs from that of the student: make it equal')
        trained.model.to(memory_format=torch.channels_last)
        return trained
