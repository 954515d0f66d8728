"""The second half of ID Net (Zhong, Sullivan & Li 2016, arXiv 1602.03935): attributes from a face recognition network.

Descriptors are taken from several depths of the frozen network. For each attribute and depth a linear SVM is fitted on
the training part, and for each attribute the depth that is best on the validation part counts.
"""

import warnings
from typing import Dict, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.utils import ProgressBar
from mmpretrain.models import ImageClassifier
from torch.utils.data import DataLoader

from ..errors import ConfigError
from ..evaluation.attribute_scores import attribute_scores
from ..models.features import batch_field

# Of an image: label, and the data set's identity.
FIELDS = ('gt_score', 'identity')


def describe(model: ImageClassifier, inputs: torch.Tensor) -> Dict[str, torch.Tensor]:
    """Descriptors of a prepared batch by depth, ``(N, D)`` each.

    The last convolution max-pooled to 3x3 and to 1x1, as in the paper, and the two fully connected layers of the
    identity branch.
    """
    feats = model.extract_feat(inputs)
    embedding = model.head.pre_logits(feats)
    return dict(
        conv_3x3=F.adaptive_max_pool2d(feats[-1], 3).flatten(1),
        conv_1x1=F.adaptive_max_pool2d(feats[-1], 1).flatten(1),
        fc1=embedding,
        fc2=model.head.fc(embedding),
    )


@torch.inference_mode()
def describe_part(model: ImageClassifier, loader: DataLoader) -> Tuple[Dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Descriptors by depth ``(N, D)``, labels ``(N, L)`` and the data set's identities ``(N, )`` of one part."""
    batches, fields = [], []
    progress = ProgressBar(len(loader))
    for batch in loader:
        prepared = model.data_preprocessor(batch)
        batches.append({depth: x.float().cpu().numpy() for depth, x in describe(model, prepared['inputs']).items()})
        fields.append([batch_field(prepared['data_samples'], key, 'cpu').numpy() for key in FIELDS])
        progress.update()
    print()
    depths = {depth: np.concatenate([batch[depth] for batch in batches]) for depth in batches[0]}
    return depths, *map(np.concatenate, zip(*fields))


def fit_depth(x: Dict[str, np.ndarray], targets: np.ndarray, c: float = 0.1) -> Tuple[np.ndarray, np.ndarray]:
    """Fits a linear SVM for each attribute on the training part.

    Args:
        x: Descriptors ``(N, D)`` of each part.
        targets: Labels of the training part ``(N, L)``, 1, 0, or -1 for unknown.
        c: Inverse strength of the regularisation times D, for descriptors of zero mean and unit variance, whose inner
            products grow with D.

    Returns:
        Signed distances ``(N, L)`` of the val and the test part.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    val, test = (np.empty((len(x[split]), targets.shape[1])) for split in ('val', 'test'))
    progress = ProgressBar(targets.shape[1])
    for i, labels in enumerate(targets.T):
        known = labels >= 0
        if len(np.unique(labels[known])) < 2:
            # An attribute that all images have, or none, needs no fit.
            val[:, i] = test[:, i] = 1 if (labels == 1).any() else -1
        else:
            svm = LinearSVC(C=c / x['train'].shape[1], dual='auto', tol=1e-2)
            with warnings.catch_warnings():
                # Stopped at the limit of iterations, its accuracy on validation still says whether it is any good.
                warnings.simplefilter('ignore', ConvergenceWarning)
                svm.fit(x['train'][known], labels[known])
            val[:, i], test[:, i] = svm.decision_function(x['val']), svm.decision_function(x['test'])
        progress.update()
    print()
    return val, test


def fit_attributes(
    descriptors: Dict[str, Dict[str, np.ndarray]], targets: Dict[str, np.ndarray]
) -> Tuple[np.ndarray, np.ndarray]:
    """Fits the SVMs of all depths, and predicts each attribute by that of the best depth.

    Args:
        descriptors: Of the parts train, val and test, by depth ``(N, D)``; emptied on the way, since they are large.
        targets: Labels ``(N, L)`` of the parts train and val, 1, 0, or -1 for unknown.

    Returns:
        Scores ``(N, L)`` of the test part, a half where an image lies on the border; names of the depths ``(L, )``.

    Raises:
        ConfigError: scikit-learn is missing.
    """
    try:
        from sklearn.preprocessing import StandardScaler
    except ImportError:
        raise ConfigError("ID Net needs scikit-learn: pip install 'imcnn_plugin[analysis]'") from None

    depth_of = np.empty(targets['train'].shape[1], object)
    best = np.full(len(depth_of), -np.inf)
    margins = np.empty((len(next(iter(descriptors['test'].values()))), len(depth_of)))
    for depth in list(descriptors['train']):
        scaler = StandardScaler().fit(descriptors['train'][depth])
        x = {split: scaler.transform(parts.pop(depth)) for split, parts in descriptors.items()}
        print(f'Fitting {len(depth_of)} SVMs to {depth}, {x["train"].shape[1]} numbers an image')
        val, test = fit_depth(x, targets['train'])
        accuracy = attribute_scores(sigmoid(val), targets['val'])['accuracy']
        # Without labels on validation every depth is as good as the first.
        better = np.nan_to_num(accuracy, nan=0.0) > best
        best[better], depth_of[better], margins[:, better] = accuracy[better], depth, test[:, better]
    return sigmoid(margins), depth_of


def sigmoid(margin: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-margin))
