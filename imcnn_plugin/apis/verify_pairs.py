"""Face verification with the features of a trained network: do two images show the same person?"""

from pathlib import Path
from typing import Dict, Optional, Tuple, Union

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from mmpretrain.registry import TRANSFORMS
from torch import nn

from ..checkpoints.load_model import load_model
from ..datasets import LFWA, LFWA_CUT, check_unseen, identify_split, read_split
from ..engine.evaluation_data import evaluation_pipeline
from ..errors import ConfigError, translate_errors
from ..evaluation import FacePairs, Verification, verify_faces
from ..models import flatten_features
from ..progress import track


@torch.inference_mode()
def verify_pairs(
    checkpoint: Union[str, Path],
    folder: Union[str, Path],
    pairs: FacePairs,
    cut: Tuple[int, int] = LFWA_CUT,
    batch_size: int = 128,
    half: Optional[int] = None,
) -> Dict[str, Verification]:
    """Verifies pairs of faces by the cosine similarity of their features.

    Args:
        checkpoint: A trained model, on a GPU if available.
        folder: The image folder, such as that of LFW.
        pairs: The result of :func:`~imcnn_plugin.evaluation.read_face_pairs`.
        cut: Width and height of the center crop of an image. The default crops LFW's 250 x 250 pixels to the region
            that CelebA's images show.
        batch_size: Images per forward pass.
        half: The half of :func:`pairs_of_half`, if the pairs are from it.

    Returns:
        A result for each feature: ``F``, the merged feature map; ``F averaged`` over positions; and ``embedding`` of
        the identity branch, if the checkpoint has one.

    Raises:
        DataError: The checkpoint or an image cannot be read.
        ConfigError: The model was trained on people of LFWA, and the pairs are not of its other half.
    """
    names = sorted({name for pair in pairs.names for name in pair})
    trained = load_model(checkpoint, get_device(), identity=True)
    split = read_split(trained.meta)
    if half is not None:
        check_unseen(split, identify_split(_open_half(folder, half)))
    elif any(name.endswith('LFWA') for name in split.get('members', ())):
        raise ConfigError(
            f'{checkpoint} was trained on people of LFWA, who are in the pairs: take only those of its other half by '
            f'half={split.get("fold", 0)} (--half)'
        )
    load, *steps = evaluation_pipeline(trained.cfg, trained.meta)
    # A model of LFWA has its own crop.
    steps = [step for step in steps if step['type'] != 'CenterCrop']
    pipeline = Compose([TRANSFORMS.build(step) for step in (load, dict(type='CenterCrop', crop_size=cut), *steps)])
    found: Dict[str, list] = {}
    with translate_errors():
        for start in track(range(0, len(names), batch_size), f'Features of {len(names)} images'):
            records = [pipeline(dict(img_path=str(Path(folder, name)))) for name in names[start : start + batch_size]]
            batch = trained.model.data_preprocessor(pseudo_collate(records))
            for name, values in _features(trained.model, batch['inputs']).items():
                found.setdefault(name, []).append(nn.functional.normalize(values.float()).cpu().numpy())
    rows = np.searchsorted(names, pairs.names)
    results = {}
    for name, values in found.items():
        first, second = np.concatenate(values)[rows.T]
        results[name] = verify_faces((first * second).sum(1), pairs.same, pairs.fold)
    return results


def pairs_of_half(pairs: FacePairs, folder: Union[str, Path], half: int) -> FacePairs:
    """The pairs of people in LFWA's test half, 0, or in its training half, 1, which is tested if halves are exchanged.

    ``folder`` is the image folder within LFWA's folder.

    Raises:
        DataError: LFWA's files cannot be read, or no pairs are left.
    """
    records = _open_half(folder, half).data_list
    return pairs.among({'/'.join(Path(record['img_path']).parts[-2:]) for record in records}, f'half {half} of LFWA')


def _open_half(folder: Union[str, Path], half: int) -> LFWA:
    folder = Path(folder).resolve()
    return LFWA(str(folder.parent), 'test', fold=half, data_prefix=folder.name)


def _features(model: nn.Module, images: torch.Tensor) -> Dict[str, torch.Tensor]:
    """Features ``(N, D)`` by name."""
    feats = model.extract_feat(images)
    last = feats[-1] if isinstance(feats, (tuple, list)) else feats
    head = getattr(model.head, 'attr_head', model.head)
    averaged = flatten_features(feats, head.in_channels, layout=getattr(head, 'layout', None)).flatten(1)
    if isinstance(last, torch.Tensor) and last.dim() > 2:
        found = {'F': last.flatten(1), 'F averaged': averaged}
    else:
        found = {'F': averaged}
    # ID Net only has that branch.
    head = getattr(model.head, 'id_head', model.head)
    if hasattr(head, 'embedding'):
        found['embedding'] = head.pre_logits(feats)
    return found
