"""Compares the cost of configs: a training step, a batch of predictions, number of weights."""

from dataclasses import dataclass
from typing import Dict, List

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.errors import ConfigError

from .network import build_model, count_weights
from .report import cell, format_seconds, speedup, summarize, the_device


@dataclass(frozen=True)
class BuiltVariant:
    """A config's model and optimizer with a batch.

    Args:
        model: The model on the device.
        wrapper: The optimizer wrapper.
        batch: A batch as returned by stock ``PackInputs`` and ``default_collate``.
    """

    model: ImageClassifier
    wrapper: OptimWrapper
    batch: dict

    def train(self) -> None:
        """One training step."""
        self.model.train_step(self.batch, self.wrapper)

    def predict(self) -> None:
        """Predicts the batch."""
        with torch.no_grad():
            self.model.test_step(self.batch)


def build_variant(cfg: Config, batch_size: int, num_identities: int) -> BuiltVariant:
    """Builds the model and optimizer of a config, with random images.

    Args:
        cfg: A config with a ``Resize`` in its training pipeline, which sets the size of the images. Only
            ``channels_last`` of the hook ``speed`` is applied.
        batch_size: Number of images.
        num_identities: Replaces ``num_identities='auto'``.

    Raises:
        ConfigError: The pipeline has no ``Resize``.
    """
    pipeline = cfg.train_dataloader.dataset.get('pipeline', [])
    scale = next((step.scale for step in pipeline if step.type == 'Resize'), None)
    if scale is None:
        raise ConfigError(f'{cfg.filename}: no Resize in train_dataloader.dataset.pipeline to set the size of images')
    width, height = (scale, scale) if isinstance(scale, int) else scale
    for head in (cfg.model.head, cfg.model.head.get('id_head')):
        if head and head.get('num_identities') == 'auto':
            head.num_identities = num_identities
    layout = torch.channels_last if cfg.default_hooks.get('speed', {}).get('channels_last') else torch.preserve_format
    model = build_model(cfg).to(the_device(), memory_format=layout)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(256, (batch_size, 3, height, width), generator=rng, dtype=torch.uint8)
    labels = getattr(getattr(model.head, 'attr_head', model.head), 'classes', ATTRIBUTES)
    scores = torch.randint(2, (batch_size, len(labels)), generator=rng).float()
    samples = [
        DataSample(gt_score=score, gt_identity=i % num_identities, identity=i) for i, score in enumerate(scores)
    ]
    return BuiltVariant(model, wrapper, dict(inputs=list(images), data_samples=samples))


def cost_rows(
    variants: Dict[str, BuiltVariant], training: Dict[str, List[float]], predicting: Dict[str, List[float]]
) -> List[dict]:
    """Figures of each variant, compared with the first.

    Args:
        variants: Variants by name.
        training: Seconds per step in each round.
        predicting: Seconds per batch in each round, for the variants that predict attributes.
    """
    first, rows = next(iter(variants)), []
    for name, variant in variants.items():
        identity = getattr(variant.model.head, 'id_head', None)
        weights = count_weights(variant.model)
        row = dict(variant=name, weights=weights, test_weights=weights - (count_weights(identity) if identity else 0))
        for kind, seconds in (('training', training), ('predicting', predicting)):
            if name in seconds:
                row[kind] = summarize(seconds[name])
            if name in seconds and first in seconds:
                row[f'{kind}_times_first'] = speedup(seconds[name], seconds[first])
        rows.append(row)
    return rows


def cost_table(rows: List[dict]) -> List[List[str]]:
    """A table of :func:`cost_rows`."""
    table = [['variant', 'M weights', 'at test', 'training step', 'relative', 'predictions', 'relative']]
    for row in rows:
        cells = [row['variant'], f'{row["weights"] / 1e6:.1f}', f'{row["test_weights"] / 1e6:.1f}']
        for kind in ('training', 'predicting'):
            cells += [format_seconds(row[kind]['median']) if kind in row else '-']
            cells += [cell(row.get(f'{kind}_times_first'), '.2f')]
        table.append(cells)
    return table
