from typing import List, Sequence, Tuple

import numpy as np
import torch
from mmengine.config import Config

from .loading import load_model, open_pictures, prepare_batch, read_image


def predict_samples(
    cfg: Config, checkpoint: str, num: int
) -> Tuple[List[np.ndarray], np.ndarray, np.ndarray, np.ndarray, Sequence[str]]:
    """Predicts some images of a config's test part.

    Args:
        cfg: A config with a ``test_dataloader``.
        checkpoint: The weights' file.
        num: Number of images, taken evenly over the part.

    Returns:
        The images as they are on disk, uint8 RGB ``(H, W, 3)``; probabilities ``(num, L)`` and the thresholds
        ``(L, )`` from which on labels are predicted; targets ``(num, L)``; the L names of the labels.

    Raises:
        DataError: There is no such checkpoint.
        ConfigError: The test part's images are in a pack.
    """
    dataset = open_pictures(cfg)
    rows = np.linspace(0, len(dataset) - 1, min(num, len(dataset))).astype(int)
    records = [dataset.data_list[row] for row in rows]
    images = [read_image(record['img_path']) for record in records]
    targets = np.stack([record['gt_score'] for record in records])
    return images, *predict_records(cfg, checkpoint, records), targets, dataset.metainfo['classes']


def predict_records(
    cfg: Config, checkpoint: str, records: Sequence[dict], batch_size: int = 128
) -> Tuple[np.ndarray, np.ndarray]:
    """Probabilities ``(N, L)`` of N records, and the thresholds ``(L, )`` from which on labels are predicted."""
    model = load_model(cfg, checkpoint)
    scores = []
    with torch.inference_mode():
        for start in range(0, len(records), batch_size):
            samples = model.test_step(prepare_batch(cfg, records[start : start + batch_size]))
            scores += [sample.pred_score.cpu().numpy() for sample in samples]
    return np.stack(scores), samples[0].thresholds.cpu().numpy()
