"""The second half of ID Net (Zhong, Sullivan & Li 2016, arXiv 1602.03935): attributes from a face recognition network.

Descriptors are taken from several depths of the frozen network. For each attribute and depth a linear SVM is fitted on
the training part, and for each attribute the depth that is best on the validation part counts.
"""

import warnings
from typing import Dict, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.utils import ProgressBar
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import DATASETS
from torch.utils.data import DataLoader

from ..errors import ConfigError
from ..evaluation.attribute_scores import attribute_scores, make_report
from .loading import load_model


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
    batches, targets, identities = [], [], []
    progress = ProgressBar(len(loader))
    for batch in loader:
        prepared = model.data_preprocessor(batch)
        batches.append({depth: x.float().cpu().numpy() for depth, x in describe(model, prepared['inputs']).items()})
        targets += [sample.gt_score.cpu().numpy() for sample in prepared['data_samples']]
        identities += [sample.identity for sample in prepared['data_samples']]
        progress.update()
    print()
    depths = {depth: np.concatenate([batch[depth] for batch in batches]) for depth in batches[0]}
    return depths, np.stack(targets), np.array(identities)


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


def fit_attributes(cfg: Config, checkpoint: str) -> dict:
    """Fits the SVMs of all depths and scores, for each attribute, that of the best depth on the test part.

    Args:
        cfg: A config whose head is an ``IdentityHead``; its training data set is also opened with the splits val and
            test.
        checkpoint: The weights' file.

    Returns:
        The report of :func:`~imcnn_plugin.evaluation.attribute_scores.make_report`, with ``depth`` for each attribute.

    Raises:
        ConfigError: scikit-learn is missing.
    """
    try:
        from sklearn.preprocessing import StandardScaler
    except ImportError:
        raise ConfigError("ID Net needs scikit-learn: pip install 'imcnn_plugin[analysis]'") from None

    model = load_model(cfg, checkpoint)
    loader = cfg.train_dataloader
    descriptors, targets = {}, {}
    for split in ('train', 'val', 'test'):
        dataset = DATASETS.build(dict(loader.dataset, split=split))
        print(f'Describing the {len(dataset)} images of the {split} part')
        descriptors[split], targets[split], identity = describe_part(
            model,
            DataLoader(dataset, batch_size=256, num_workers=loader.num_workers, collate_fn=pseudo_collate),
        )
    # The last one is the test part.
    meta = dataset.metainfo

    depth_of = np.empty(len(meta['classes']), object)
    best = np.full(len(depth_of), -np.inf)
    margins = np.empty(targets['test'].shape)
    for depth in list(descriptors['train']):
        scaler = StandardScaler().fit(descriptors['train'][depth])
        x = {split: scaler.transform(parts.pop(depth)) for split, parts in descriptors.items()}
        print(f'Fitting {len(depth_of)} SVMs to {depth}, {x["train"].shape[1]} numbers an image')
        val, test = fit_depth(x, targets['train'])
        accuracy = attribute_scores(sigmoid(val), targets['val'])['accuracy']
        # Without labels on validation every depth is as good as the first.
        better = np.nan_to_num(accuracy, nan=0.0) > best
        best[better], depth_of[better], margins[:, better] = accuracy[better], depth, test[:, better]
    about = dict(protocol=meta['protocol'], split=meta['split'])
    report = make_report(sigmoid(margins), targets['test'], identity, meta['classes'], about=about)
    for name, depth in zip(meta['classes'], depth_of):
        report['attributes'][name]['depth'] = depth
    return report


def sigmoid(margin: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-margin))
