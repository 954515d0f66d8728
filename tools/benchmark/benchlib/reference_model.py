"""The reference implementation of IMCNN for benchmarks and tests: plain PyTorch, one module per group."""

from typing import Dict, List, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import nn

from imcnn_plugin.attributes import ATTRIBUTES, FIRST_SPLIT, NINE_GROUPS


def _convolution(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class ReferenceBackbone(nn.Module):
    """Table 2 of the paper: the trunk, then six ConvAttr, each with its own feature map.

    Args:
        width: Factor on the number of channels.
    """

    def __init__(self, width: float = 1.0):
        super().__init__()
        c1, c2a, c2, c3a, c3, attr = (round(channels * width) for channels in (64, 64, 192, 192, 384, 512))
        self.trunk = nn.Sequential(
            _convolution(3, c1),
            nn.MaxPool2d(2),
            _convolution(c1, c2a),
            _convolution(c2a, c2),
            nn.MaxPool2d(2),
            _convolution(c2, c3a),
            _convolution(c3a, c3),
            nn.MaxPool2d(2),
        )
        self.conv_attr = nn.ModuleList(_convolution(c3, attr, stride=2) for _ in FIRST_SPLIT)

    def forward(self, x: torch.Tensor) -> Tuple[List[torch.Tensor]]:
        """The list of six maps ``(N, C, h, w)``, as the only element of a tuple."""
        x = self.trunk(x)
        return ([conv(x) for conv in self.conv_attr],)


class ReferenceHead(nn.Module):
    """FC1Attr, FC2Attr and logits for each of the nine groups, and the identity branch on all maps together.

    Args:
        in_features: Size of one ConvAttr's flattened map.
        hidden: Size of FC1Attr and FC2Attr.
        embedding: Size of the layer before the identities.
        num_identities: Number of identities; 0 for no identity branch.
    """

    def __init__(self, in_features: int, hidden: int, embedding: int, num_identities: int):
        super().__init__()
        self.fc1 = nn.ModuleList(nn.Linear(in_features, hidden) for _ in NINE_GROUPS)
        self.fc2 = nn.ModuleList(nn.Linear(hidden, hidden) for _ in NINE_GROUPS)
        self.logits = nn.ModuleList(nn.Linear(hidden, len(group['labels'])) for group in NINE_GROUPS)
        if num_identities:
            self.embedding = nn.Linear(in_features * len(FIRST_SPLIT), embedding)
            self.identities = nn.Linear(embedding, num_identities)
        labels = [label for group in NINE_GROUPS for label in group['labels']]
        self.order = [labels.index(name) for name in ATTRIBUTES]

    def forward(self, feats: Sequence[List[torch.Tensor]]) -> torch.Tensor:
        """Logits ``(N, 40)`` in CelebA's order."""
        logits = []
        for group, fc1, fc2, fc in zip(NINE_GROUPS, self.fc1, self.fc2, self.logits):
            x = feats[-1][group['slice']].flatten(1)
            logits.append(fc(F.relu(fc2(F.relu(fc1(x))))))
        return torch.cat(logits, 1)[:, self.order]

    def loss(self, feats: Sequence[List[torch.Tensor]], data_samples: List[DataSample]) -> Dict[str, torch.Tensor]:
        """``loss_attr`` and ``loss_id``, scalars; requires an identity branch."""
        logits = self(feats)
        target = torch.stack([sample.gt_score for sample in data_samples]).float()
        loss_attr = F.binary_cross_entropy_with_logits(logits, target, reduction='none').mean(0).sum()
        merged = torch.cat(feats[-1], 1).flatten(1)
        identity = torch.tensor([sample.gt_identity for sample in data_samples], device=merged.device)
        loss_id = F.cross_entropy(self.identities(self.embedding(merged)), identity)
        return dict(loss_attr=loss_attr, loss_id=loss_id)


@torch.no_grad()
def copy_weights(fused: ImageClassifier, reference: ImageClassifier) -> None:
    """Copies the weights of an IMCNN of this package into the reference network."""
    source, target = fused.backbone.layers, reference.backbone
    convolutions = [layer for layer in source if not isinstance(layer, nn.MaxPool2d)]
    for old, new in zip(convolutions, [layer for layer in target.trunk if not isinstance(layer, nn.MaxPool2d)]):
        new.load_state_dict(old.state_dict())
    for name, tensor in source.conv_attr.state_dict().items():
        parts = tensor.chunk(len(target.conv_attr)) if tensor.dim() else [tensor] * len(target.conv_attr)
        for part, new in zip(parts, target.conv_attr):
            new.state_dict()[name].copy_(part)
    head = fused.head
    bank = head.attr_head.banks[0]
    for linear, layers in zip((bank.hidden[0], bank.hidden[2]), (reference.head.fc1, reference.head.fc2)):
        for weight, bias, layer in zip(linear.weight, linear.bias, layers):
            layer.weight.copy_(weight.T)
            layer.bias.copy_(bias)
    sizes = [len(layer.bias) for layer in reference.head.logits]
    for weight, bias, layer in zip(bank.fc.weight.split(sizes), bank.fc.bias.split(sizes), reference.head.logits):
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    if head.id_head is not None:
        reference.head.embedding.load_state_dict(head.id_head.embedding.state_dict())
        reference.head.identities.load_state_dict(head.id_head.fc.state_dict())
