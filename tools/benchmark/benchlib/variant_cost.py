"""What configs cost beside each other: a training step, a batch of predictions, weights."""

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
from .report import the_device
from .timing import cell, format_seconds, summarize, times_as_fast


@dataclass(frozen=True)
class Trainee:
    """A config's model and optimiser with a batch.

    Args:
        model: On the device.
        wrapper: Of its weights.
        batch: As stock ``PackInputs`` and ``default_collate`` give it.
    """

    model: ImageClassifier
    wrapper: OptimWrapper
    batch: dict

    def train(self) -> None:
        self.model.train_step(self.batch, self.wrapper)

    def predict(self) -> None:
        with torch.no_grad():
            self.model.test_step(self.batch)


def make_trainee(cfg: Config, batch_size: int) -> Trainee:
    """What a config trains, with images of noise.

    Args:
        cfg: A config with a ``Resize`` in its training pipeline, from which the images have their size. Of the hook
            ``speed`` only ``channels_last`` is heeded.
        batch_size: Number of images.

    Raises:
        ConfigError: The pipeline does not say how large the images are.
    """
    pipeline = cfg.train_dataloader.dataset.get('pipeline', [])
    scale = next((step.scale for step in pipeline if step.type == 'Resize'), None)
    if scale is None:
        raise ConfigError(f'{cfg.filename}: no Resize in train_dataloader.dataset.pipeline, so no size of images')
    width, height = (scale, scale) if isinstance(scale, int) else scale
    layout = torch.channels_last if cfg.default_hooks.get('speed', {}).get('channels_last') else torch.preserve_format
    model = build_model(cfg).to(the_device(), memory_format=layout)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(256, (batch_size, 3, height, width), generator=rng, dtype=torch.uint8)
    scores = torch.randint(2, (batch_size, len(ATTRIBUTES)), generator=rng).float()
    samples = [DataSample(gt_score=score, gt_identity=i, identity=i) for i, score in enumerate(scores)]
    return Trainee(model, wrapper, dict(inputs=list(images), data_samples=samples))


def cost_rows(
    trainees: Dict[str, Trainee], training: Dict[str, List[float]], predicting: Dict[str, List[float]]
) -> List[dict]:
    """Figures of each variant; the first is what the others are compared with.

    Args:
        trainees: By name.
        training: Seconds of a step in each round.
        predicting: Seconds of a batch in each round, of those that predict.
    """
    first, rows = next(iter(trainees)), []
    for name, trainee in trainees.items():
        identity = getattr(trainee.model.head, 'id_head', None)
        weights = count_weights(trainee.model)
        row = dict(variant=name, weights=weights, test_weights=weights - (count_weights(identity) if identity else 0))
        for kind, seconds in (('training', training), ('predicting', predicting)):
            if name in seconds:
                row[kind] = summarize(seconds[name])
            if name in seconds and first in seconds:
                row[f'{kind}_times_first'] = times_as_fast(seconds[name], seconds[first])
        rows.append(row)
    return rows


def cost_table(rows: List[dict]) -> List[List[str]]:
    table = [['variant', 'M weights', 'at test', 'training step', 'x first', 'predictions', 'x first']]
    for row in rows:
        cells = [row['variant'], f'{row["weights"] / 1e6:.1f}', f'{row["test_weights"] / 1e6:.1f}']
        for kind in ('training', 'predicting'):
            cells += [format_seconds(row[kind]['median']) if kind in row else '-']
            cells += [cell(row.get(f'{kind}_times_first'), '.2f')]
        table.append(cells)
    return table
