"""The second half of ID Net (Zhong, Sullivan & Li 2016, arXiv 1602.03935): attributes from a face recognition network.

Features are taken from several layers of the frozen network. For each attribute and layer a linear SVM is fitted on
the training split, and each attribute uses the layer that is best on the validation split. A network that returns a
vector, such as ANet, has one layer.
"""

import warnings
from typing import Dict, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.runner import autocast
from mmpretrain.models import ImageClassifier
from torch.utils.data import DataLoader

from ..errors import ConfigError
from ..evaluation import score_attributes, sigmoid
from ..models.batch_fields import batch_identity, batch_labels
from ..progress import track

# Inverse strength of the regularization times D: inner products of standardized features grow with D.
_C = 0.1


@torch.inference_mode()
def _extract_split(
    model: ImageClassifier, loader: DataLoader, split: str, fp16: bool = False
) -> Tuple[Dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Features by layer ``(N, D)``, labels ``(N, L)`` and the dataset's identities ``(N, )`` of one split.

    ``model``: its features are a map, and its head is the identity branch; or its features are a vector, like ANet's.
    ``fp16``: whether it runs in half precision, which is bfloat16 on a CPU.
    """
    batches, fields = [], []
    for batch in track(loader, f'Extracting features of the {split} split'):
        prepared = model.data_preprocessor(batch)
        with autocast(enabled=fp16):
            layers = _layers(model, model.extract_feat(prepared['inputs']))
        batches.append({layer: x.float().cpu().numpy() for layer, x in layers.items()})
        samples = prepared['data_samples']
        labels = batch_labels(samples, len(loader.dataset.metainfo['classes']), 'cpu')
        fields.append((labels.numpy(), batch_identity(samples, len(labels), 'cpu').numpy()))
    layers = {layer: np.concatenate([batch[layer] for batch in batches]) for layer in batches[0]}
    return layers, *map(np.concatenate, zip(*fields))


def _layers(model: ImageClassifier, feats: Sequence[torch.Tensor]) -> Dict[str, torch.Tensor]:
    """The features ``(N, D)`` by layer that SVMs are fitted to: a backbone's vector, or four layers of ID Net.

    As in its paper, the layers of ID Net are the last convolution, max-pooled to 3x3 and to 1x1, and the two fully
    connected layers of the identity branch.
    """
    if feats[-1].dim() == 2:
        return dict(features=feats[-1])
    embedding = model.head.pre_logits(feats)
    return dict(
        conv_3x3=F.adaptive_max_pool2d(feats[-1], 3).flatten(1),
        conv_1x1=F.adaptive_max_pool2d(feats[-1], 1).flatten(1),
        fc1=embedding,
        fc2=model.head.fc(embedding),
    )


def _fit_layer(x: Dict[str, np.ndarray], targets: np.ndarray, title: str) -> Tuple[np.ndarray, np.ndarray]:
    """Fits a linear SVM for each attribute to features ``(N, D)`` by split and the training labels ``(N, L)``.

    Returns signed distances ``(N, L)`` for the validation and the test split.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    val, test = (np.empty((len(x[split]), targets.shape[1])) for split in ('val', 'test'))
    for i, labels in enumerate(track(targets.T, title)):
        known = labels >= 0
        if len(np.unique(labels[known])) < 2:
            # An attribute with the same label in all images needs no fit.
            val[:, i] = test[:, i] = 1 if (labels == 1).any() else -1
        else:
            svm = LinearSVC(C=_C / x['train'].shape[1], dual='auto', tol=1e-2, random_state=0)
            with warnings.catch_warnings():
                # An SVM that stopped at the iteration limit is still judged by its validation accuracy.
                warnings.simplefilter('ignore', ConvergenceWarning)
                svm.fit(x['train'][known], labels[known])
            val[:, i], test[:, i] = svm.decision_function(x['val']), svm.decision_function(x['test'])
    return val, test


def _fit_attributes(
    features: Dict[str, Dict[str, np.ndarray]], targets: Dict[str, np.ndarray]
) -> Tuple[np.ndarray, np.ndarray]:
    """Fits SVMs to all layers and predicts each attribute with the SVM of its best layer.

    ``targets`` has labels ``(N, L)`` by split, and ``features`` has ``(N, D)`` by split and layer. The features are
    large, so each layer is removed once it has been used. Returns scores ``(N, L)`` of the test split, with 1/2 on the
    decision boundary, and the names of the layers ``(L, )``.
    """
    try:
        from sklearn.preprocessing import StandardScaler
    except ImportError:
        raise ConfigError("fitting SVMs needs scikit-learn: pip install 'imcnn_plugin[analysis]'") from None

    layer_of = np.empty(targets['train'].shape[1], object)
    best = np.full(len(layer_of), -np.inf)
    margins = np.empty((len(next(iter(features['test'].values()))), len(layer_of)))
    for layer in list(features['train']):
        scaler = StandardScaler().fit(features['train'][layer])
        x = {split: scaler.transform(layers.pop(layer)) for split, layers in features.items()}
        val, test = _fit_layer(x, targets['train'], f'Fitting SVMs to {layer} ({x["train"].shape[1]} features)')
        accuracy = score_attributes(sigmoid(val), targets['val'])['accuracy']
        # Without validation labels, all layers tie, and the first is taken.
        better = np.nan_to_num(accuracy, nan=0.0) > best
        best[better], layer_of[better], margins[:, better] = accuracy[better], layer, test[:, better]
    return sigmoid(margins), layer_of
