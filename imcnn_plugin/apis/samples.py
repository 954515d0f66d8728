from typing import List, Sequence, Tuple

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain import get_model
from mmpretrain.registry import DATASETS
from PIL import Image

from .runner import drop_identity_head


def predict_samples(
    cfg: Config, checkpoint: str, num: int
) -> Tuple[List[np.ndarray], np.ndarray, np.ndarray, Sequence[str]]:
    """Predicts some images of a config's test part.

    Args:
        cfg: A config with a ``test_dataloader``.
        checkpoint: The weights' file.
        num: Number of images, taken evenly over the part.

    Returns:
        The images as they are on disk, uint8 RGB ``(H, W, 3)``; probabilities ``(num, L)``; targets ``(num, L)``; the
        L names of the labels.
    """
    drop_identity_head(cfg)
    model = get_model(cfg, pretrained=checkpoint)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    records = [dataset[i] for i in np.linspace(0, len(dataset) - 1, min(num, len(dataset))).astype(int)]
    with torch.inference_mode():
        samples = model.test_step(
            dict(
                inputs=[record['inputs'] for record in records],
                data_samples=[record['data_samples'] for record in records],
            )
        )
    images = [np.asarray(Image.open(sample.img_path).convert('RGB')) for sample in samples]
    scores, targets = (
        np.stack([sample.get(key).cpu().numpy() for sample in samples]) for key in ('pred_score', 'gt_score')
    )
    return images, scores, targets, dataset.metainfo['classes']
