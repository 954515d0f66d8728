"""Explains which values of the paper's Table 3 a reader can expect to reproduce."""

from typing import Iterator, List, Sequence

import numpy as np

from ..attributes import ATTRIBUTES
from .measured_results import MeasuredResults
from .published import BEATEN, DATASETS, WINNER, PublishedTable

# Known from the text of the papers, by dataset.
KNOWN = dict(
    celeba=(
        'the columns of LNets+ANet, ID Net and MCNN are from their own papers. ATTR Net and IMCNN were tested on '
        '20,000 images, but which ones is not published. Expect similar figures from the full networks on all of '
        'CelebA, and differences of some tenths of a point from the choice of images alone',
        'do not expect the printed figures from a subset of the images or from a narrower network: beside such '
        'columns they only show which attributes are hard',
    ),
    lfwa=(
        'do not expect the printed ATTR Net and IMCNN from a network that is trained on CelebA and tested on the '
        "whole of LFWA, although section 4.1 describes them so. LFWA's labels were made separately from CelebA's and "
        "mean other things: half of its faces have Pale_Skin, but only one in 25 of CelebA's. Thresholds fitted to "
        'LFWA compensate for this in part',
        'expect 86 to 87 from training on one half of the identities and testing on the other, as MCNN was. Published '
        'figures for halves of this size are 86.31 (MCNN-AUX) and 87.56 (Label2Label)',
    ),
)
# A gain is unusual if it is more than this many interquartile ranges outside the quartiles of all gains.
FENCE = 3.0


def list_expectations(table: PublishedTable, results: Sequence[MeasuredResults], datasets: Sequence[str]) -> List[str]:
    """Lists what to expect of the printed values, one per line: known facts, then findings from the numbers.

    Args:
        table: The published table.
        results: Measured results, from which label errors are estimated.
        datasets: Keys of :data:`~imcnn_plugin.paper.DATASETS`.
    """
    lines = []
    for dataset in datasets:
        own = [model for model in results if model.dataset == dataset]
        found = [*KNOWN[dataset], *_twins(table, dataset), *_unusual_gains(table, dataset), *_label_errors(own)]
        lines += [f'{DATASETS[dataset]}: {line}' for line in found]
    return lines


def _twins(table: PublishedTable, dataset: str) -> Iterator[str]:
    """Reports if the printed ATTR Net on LFWA is nearly equal to MCNN, which was trained on LFWA."""
    first, second = (table.values[dataset, system] for system in BEATEN)
    correlation = np.corrcoef(first, second)[0, 1]
    if dataset == 'lfwa' and correlation > 0.99:
        yield (
            f'the printed {BEATEN[1]} is within {np.abs(first - second).max():.2f} points of {BEATEN[0]} on each '
            f'attribute (correlation {correlation:.3f}). {BEATEN[0]} was trained on LFWA, so {BEATEN[1]} looks as if '
            'it was, too'
        )


def _unusual_gains(table: PublishedTable, dataset: str) -> Iterator[str]:
    """Reports the attributes that account for much of the winner's gain."""
    gains = table.values[dataset, WINNER] - table.values[dataset, BEATEN[1]]
    low, high = np.percentile(gains, (25, 75))
    unusual = (gains > high + FENCE * (high - low)) | (gains < low - FENCE * (high - low))
    if unusual.any():
        named = ', '.join(f'{ATTRIBUTES[i]} {gains[i]:+.2f}' for i in np.flatnonzero(unusual))
        yield (
            f"do not expect {WINNER}'s gain over {BEATEN[1]}, {gains.mean():+.2f} in the mean of the printed values: "
            f'{gains[unusual].sum() / len(gains):+.2f} of it comes from {unusual.sum()} of {len(gains)} attributes '
            f'with unusual gains ({named}). On the others it is {gains[~unusual].mean():+.2f}'
        )


def _label_errors(results: Sequence[MeasuredResults]) -> Iterator[str]:
    """Reports how often two images of an identity have the same label for Male; without label errors, always."""
    # Of the largest test set.
    shares = [
        (row['num_images'], share)
        for model in results
        for row, share in zip(model.rows, model.label_agreement[:, ATTRIBUTES.index('Male')])
        if not np.isnan(share)
    ]
    if shares:
        yield (
            'the labels have errors, which no network can learn: for Male, two images of one identity have the same '
            f'label in {max(shares)[1]:.1f} % of cases'
        )
