from collections import Counter
from typing import Dict, List, Optional, Sequence, Tuple, Union

import torch
from mmengine.model import BaseModule
from mmengine.structures import BaseDataElement, InstanceData
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

from ..errors import ConfigError, check_sizes
from .batch_fields import Samples, _indices_by_row, batch_labels
from .build_part import _build_part
from .features import flatten_features
from .grouped_linear import GroupedLinear
from .losses import multi_label_loss, valid_count

# A logit whose sigmoid is 0 and that is finite in half precision.
CERTAIN_NEGATIVE = -100.0


class _GroupBank(nn.Module):
    """Groups with the same input size: hidden layers per group, then one logit per label.

    The features are cut into slices of size ``dims``; group g reads the slice with index ``slices[g]``.
    """

    def __init__(
        self, dims: int, slices: List[int], group_of_label: List[int], hidden_dims: Sequence[int], dropout: float
    ):
        super().__init__()
        self.dims = dims
        layers = []
        for hidden in hidden_dims:
            layers += [GroupedLinear(len(slices), dims, hidden), nn.ReLU(inplace=True)]
            if dropout:
                # Nested with the ReLU, so that parameter names do not depend on dropout.
                layers[-1] = nn.Sequential(layers[-1], nn.Dropout(dropout))
            dims = hidden
        self.hidden = nn.Sequential(*layers)
        # Row l holds the weights of label l and multiplies only the features of that label's group.
        self.fc = nn.Linear(dims, len(group_of_label))
        self.register_buffer('slices', torch.tensor(slices), persistent=False)
        self.register_buffer('group_of_label', torch.tensor(group_of_label), persistent=False)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Maps ``(N, num_slices * dims)`` to the groups' features ``(G, N, hidden)``."""
        slices = x.unflatten(1, (-1, self.dims)).transpose(0, 1)
        return self.hidden(slices.index_select(0, self.slices))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps ``(N, num_slices * dims)`` to logits ``(N, labels of the bank)``."""
        features = self.features(x).index_select(0, self.group_of_label)
        return torch.einsum('lnd,ld->nl', features, self.fc.weight) + self.fc.bias


def _set_field(sample: BaseDataElement, name: str, value: torch.Tensor) -> None:
    """Sets a field with the sample's own setter if it has one, since mmpretrain's setters check the value."""
    own = getattr(sample, f'set_{name}', None)
    sample.set_field(value, name) if own is None else own(value)


@MODELS.register_module()
class GroupedMultiLabelHead(BaseModule):
    """Multi-label head with groups of labels, each with its own layers and, optionally, its own input channels.

    Groups with the same input size are computed as one batched product. The logits are always in the order of
    ``classes``. With the sizes of the paper's Table 2, this is IMCNN's FC1Attr, FC2Attr and attribute logits.

    Args:
        classes: Names of the labels, in the order of the dataset's label vector.
        groups: One dict per group: ``name``, ``labels`` (names; each of ``classes`` belongs to exactly one group) and
            ``slice``, the index of the slice of channels that the group reads. A group without it reads all channels.
        in_channels: Number of channels of the last output of the backbone or neck.
        num_slices: Number of equal slices into which the channels are cut.
        in_size: Height and width of the feature map, which is then flattened. None averages over its positions.
        hidden_dims: Sizes of the fully connected layers of each group, each followed by ReLU.
        dropout: Dropout probability after each of these layers.
        loss: Config of any registered multi-label loss that takes ``avg_factor``. None is the paper's LOSS_ATTR, see
            :func:`~imcnn_plugin.models.losses.multi_label_loss`. Unknown labels (-1) contribute nothing to it, nor to
            any loss that is 0 for a negative label with logit :data:`CERTAIN_NEGATIVE` (cross-entropy, focal,
            asymmetric).
        thr: Decision threshold of an uncalibrated head; it also replaces thresholds of 0.5 in a checkpoint.
        layout: Axis order of a map, see :func:`~imcnn_plugin.models.features.flatten_features`.
        sync_avg_factor: Whether to count known labels over all processes, see
            :func:`~imcnn_plugin.models.losses.valid_count`. Every process must then compute the loss in every step,
            as it does in a classifier.
        init_cfg: Defaults to the paper's Xavier filler, which also initializes :class:`GroupedLinear`.

    The head works in any project based on mmengine. :meth:`loss` and :meth:`predict` call :meth:`forward` and then
    :meth:`loss_by_feat` or :meth:`predict_by_feat`, which take logits and samples of any class.

    Raises:
        ConfigError: The groups do not match ``classes`` or the slices, a group or ``classes`` is empty, a size is not
            a positive integer, or the loss is not a multi-label loss.

    Two buffers ``(number of classes, )`` store the calibration that ``tools/calibrate.py`` writes: the probability is
    ``sigmoid(logit / temperature)``, and a label is predicted if its probability reaches its entry of ``thresholds``.
    ``temperature`` is 1 and ``thresholds`` is ``thr`` unless a checkpoint has others. The loss uses neither.
    """

    def __init__(
        self,
        classes: Sequence[str],
        groups: Sequence[dict],
        in_channels: int,
        num_slices: int = 1,
        in_size: Optional[Tuple[int, int]] = None,
        hidden_dims: Sequence[int] = (),
        dropout: float = 0.0,
        loss: Optional[dict] = None,
        thr: float = 0.5,
        layout: Optional[str] = None,
        sync_avg_factor: bool = False,
        init_cfg: Optional[Union[dict, list]] = dict(type='Caffe2Xavier', layer='Linear'),
    ):
        super().__init__(init_cfg=init_cfg)
        check_sizes(in_channels=in_channels, num_slices=num_slices, in_size=in_size, hidden_dims=hidden_dims)
        self.classes = list(classes)
        self.in_channels, self.in_size, self.layout = in_channels, in_size, layout
        self.sync_avg_factor, self.thr = sync_avg_factor, thr
        self.loss_module = _build_part(loss) if loss else None
        if loss:
            self.check_loss(self.loss_module, f'loss={loss}')
        self._check_groups(groups, num_slices)

        dims = in_channels * (in_size[0] * in_size[1] if in_size else 1)
        self.banks = nn.ModuleList()
        order = []
        for whole in (False, True):
            if members := [group for group in groups if (group.get('slice') is None) == whole]:
                self.banks.append(
                    _GroupBank(
                        dims if whole else dims // num_slices,
                        slices=[group.get('slice') or 0 for group in members],
                        group_of_label=[i for i, group in enumerate(members) for _ in group['labels']],
                        hidden_dims=hidden_dims,
                        dropout=dropout,
                    )
                )
                order += [self.classes.index(label) for group in members for label in group['labels']]
        self.register_buffer('order', torch.tensor(order).argsort(), persistent=False)
        for name, value in self._uncalibrated().items():
            self.register_buffer(name, value)

    def _uncalibrated(self) -> Dict[str, torch.Tensor]:
        ones = torch.ones(len(self.classes))
        return dict(thresholds=self.thr * ones, temperature=ones)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        for name, value in self._uncalibrated().items():
            stored = state_dict.setdefault(prefix + name, value)
            # Those of an uncalibrated head must not undo another thr.
            if name == 'thresholds' and (stored == 0.5).all():
                state_dict[prefix + name] = value
        super()._load_from_state_dict(state_dict, prefix, *args)

    def check_loss(self, module: nn.Module, name: str) -> None:
        """Rejects a loss, such as softmax cross-entropy, that is not 0 for certain, correct logits.

        Raises:
            ConfigError: The loss is no multi-label loss. The message begins with ``name``.
        """
        # All labels, none, and every other one.
        target = torch.ones(3, len(self.classes))
        target[1], target[2, ::2] = 0, 0
        right = (1 - 2 * target) * CERTAIN_NEGATIVE
        with torch.no_grad():
            least, greatest = (float(module(logits, target, avg_factor=1.0).sum()) for logits in (right, -right))
        if not least < 0.01 < greatest:
            raise ConfigError(
                f'{name} is {least:.3g} for logits that are right and {greatest:.3g} for wrong ones, so it is '
                'no multi-label loss: CrossEntropyLoss needs use_sigmoid=True'
            )

    def _check_groups(self, groups: Sequence[dict], num_slices: int) -> None:
        if not self.classes:
            raise ConfigError('classes is empty: name the labels, in the order of the dataset')
        if empty := [group['name'] for group in groups if not group['labels']]:
            raise ConfigError(f'groups without labels: {empty}: name their labels, or remove them')
        times = Counter(label for group in groups for label in group['labels'])
        if unknown := [label for label in times if label not in self.classes]:
            raise ConfigError(f'groups have labels that are not in classes: {unknown}')
        if wrong := [label for label in self.classes if times[label] != 1]:
            raise ConfigError(f'each label must be in exactly one group; in none or several: {wrong}')
        if self.in_channels % num_slices:
            raise ConfigError(f'in_channels={self.in_channels} cannot be cut into num_slices={num_slices} equal parts')
        for group in groups:
            if not 0 <= (group.get('slice') or 0) < num_slices:
                raise ConfigError(
                    f'group {group["name"]} reads slice {group["slice"]}, but num_slices is {num_slices}'
                )

    def _flatten(self, feats: Union[torch.Tensor, Sequence]) -> torch.Tensor:
        return flatten_features(feats, self.in_channels, self.in_size, self.layout).flatten(1)

    def pre_logits(self, feats: Union[torch.Tensor, Sequence]) -> torch.Tensor:
        """The groups' features before the logits, ``(N, number of groups * hidden)``.

        Groups with a slice come first, then those that read all channels, both in the order of ``groups``.
        """
        x = self._flatten(feats)
        return torch.cat([bank.features(x).transpose(0, 1).flatten(1) for bank in self.banks], 1)

    def forward(self, feats: Union[torch.Tensor, Sequence], num_segs: int = 1) -> torch.Tensor:
        """Logits ``(N, number of classes)`` in the order of ``classes``.

        mmaction's recognizers pass ``num_segs``. Then ``feats`` are features of N * ``num_segs`` frames, and logits
        are averaged over the consecutive frames of each video.
        """
        x = self._flatten(feats)
        logits = torch.cat([bank(x) for bank in self.banks], 1).index_select(1, self.order)
        return logits if num_segs == 1 else logits.unflatten(0, (-1, num_segs)).mean(1)

    def loss(
        self, feats: Union[torch.Tensor, Sequence], data_samples: Union[torch.Tensor, Samples], num_segs: int = 1
    ) -> Dict[str, torch.Tensor]:
        """:meth:`forward`, then :meth:`loss_by_feat`."""
        return self.loss_by_feat(self(feats, num_segs), data_samples)

    def loss_by_feat(self, logits: torch.Tensor, target: Union[torch.Tensor, Samples]) -> Dict[str, torch.Tensor]:
        """``loss`` of logits ``(N, number of classes)``; 0 if N is 0.

        Args:
            logits: The result of :meth:`forward`.
            target: A tensor of the same shape: 1, 0, or -1 for unknown. Or N samples of any class, each with such a
                ``gt_score`` ``(number of classes, )`` or with the indices of its labels in ``gt_label``. Or one sample
                with the stacked ``gt_score`` of all images.

        Raises:
            ConfigError: The target has another shape, or the samples have neither field.
            DataError: ``gt_label`` does not hold indices of labels.
        """
        if not isinstance(target, torch.Tensor):
            target = batch_labels(target, len(self.classes), logits.device)
        if target.shape != logits.shape:
            raise ConfigError(
                f'the labels are {tuple(target.shape)} and the logits {tuple(logits.shape)}: both must be '
                f'(N, {len(self.classes)})'
            )
        target = target.to(logits.device)
        if self.loss_module is None:
            return dict(loss=multi_label_loss(logits, target, self.sync_avg_factor))
        # A negative label that is predicted negative with certainty contributes no loss.
        unknown = target < 0
        logits = logits.float().masked_fill(unknown, CERTAIN_NEGATIVE)
        avg_factor = valid_count((~unknown).flatten(), self.sync_avg_factor) / len(self.classes)
        return dict(loss=self.loss_module(logits, target.clamp(min=0).type_as(logits), avg_factor=avg_factor))

    def predict(
        self, feats: Union[torch.Tensor, Sequence], data_samples: Optional[Samples] = None, num_segs: int = 1
    ) -> List[BaseDataElement]:
        """:meth:`forward`, then :meth:`predict_by_feat`."""
        return self.predict_by_feat(self(feats, num_segs), data_samples)

    def predict_by_feat(self, logits: torch.Tensor, data_samples: Optional[Samples] = None) -> List[BaseDataElement]:
        """Sets ``pred_score``, the labels' probabilities, and ``thresholds``, their decision thresholds.

        Single samples also get ``pred_label``, the indices of the predicted labels. If they have ``gt_score`` but no
        ``gt_label``, that is set to the indices of the positive labels, which mmpretrain draws.

        Args:
            logits: ``(N, number of classes)``.
            data_samples: N samples of any class. By default, and for each None that a ``MultiTaskHead`` passes for an
                image without this task, a new ``DataSample`` of mmpretrain is created. A single sample for all rows,
                such as the ``InstanceData`` of an image's N faces, gets ``pred_score`` ``(N, number of classes)`` and
                is returned as a list of one. An ``InstanceData`` stores ``thresholds`` in its metainfo, since its
                fields have one entry per instance.

        Raises:
            ConfigError: The number of samples differs from the number of rows.
        """
        scores = self.probabilities(logits)
        thresholds = self.thresholds.float()
        if isinstance(data_samples, BaseDataElement):
            data_samples.pred_score = scores
            kind = 'metainfo' if isinstance(data_samples, InstanceData) else 'data'
            data_samples.set_field(thresholds, 'thresholds', field_type=kind)
            return [data_samples]
        if data_samples is None:
            data_samples = [None] * len(scores)
        if len(data_samples) != len(scores):
            raise ConfigError(f'{len(scores)} rows of logits for {len(data_samples)} data samples: give one for each')
        if any(sample is None for sample in data_samples):
            data_samples = [DataSample() if sample is None else sample for sample in data_samples]
        for sample, score, labels in zip(data_samples, scores, _indices_by_row(scores >= thresholds)):
            _set_field(sample, 'pred_score', score)
            _set_field(sample, 'pred_label', labels)
            sample.thresholds = thresholds
        drawn = [sample for sample in data_samples if 'gt_score' in sample and 'gt_label' not in sample]
        if drawn:
            known = torch.stack([torch.as_tensor(sample.gt_score) for sample in drawn]) == 1
            for sample, labels in zip(drawn, _indices_by_row(known)):
                _set_field(sample, 'gt_label', labels)
        return data_samples

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Calibrated probabilities of logits ``(N, number of classes)``, in single precision."""
        return (logits.float() / self.temperature.float()).sigmoid()
