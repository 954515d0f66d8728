"""Which figures of the paper's Table 3 a reader can expect to reach, and which not."""

from typing import Iterator, List, Sequence

import numpy as np

from ..attributes import ATTRIBUTES
from .measured_results import MeasuredResults
from .published import BEATEN, DATASETS, WINNER, PublishedTable

# What the texts of the papers say, by dataset.
KNOWN = dict(
    celeba=(
        'LNets+ANet, ID Net and MCNN are the figures of their own papers; ATTR Net and IMCNN were tested on 20,000 '
        'images, and which ones is not published. Expect to come near with the full networks on all of CelebA, and '
        'differences of some tenths from the choice of images alone',
        'do not expect them from a subset of the images or from a narrower network: beside such columns the printed '
        'ones show which attributes are hard, no more',
    ),
    lfwa=(
        'do not expect the printed ATTR Net and IMCNN from a network that is trained on CelebA and tested on the '
        "whole of LFWA, which section 4.1 says they are. LFWA's labels were made apart from CelebA's and mean other "
        "things: half of its faces have Pale_Skin, one in 25 of CelebA's. Thresholds fitted to LFWA repair a part",
        'expect 86 to 87 from training on one half of its people and testing on the other, as MCNN was: published for '
        'halves of this size are 86.31 (MCNN-AUX) and 87.56 (Label2Label)',
    ),
)
# A gain is unusual if it is beyond the quartiles of all gains by more than this many times their distance.
FENCE = 3.0


def list_expectations(table: PublishedTable, results: Sequence[MeasuredResults], datasets: Sequence[str]) -> List[str]:
    """What to expect of the printed figures, one line each: what is known, then what the numbers show.

    Args:
        table: The published table.
        results: Measured results, from which the errors of the labels are told.
        datasets: Keys of :data:`~imcnn_plugin.paper.DATASETS`.
    """
    lines = []
    for dataset in datasets:
        own = [model for model in results if model.dataset == dataset]
        found = [*KNOWN[dataset], *_twins(table, dataset), *_unusual_gains(table, dataset), *_label_errors(own)]
        lines += [f'{DATASETS[dataset]}: {line}' for line in found]
    return lines


def _twins(table: PublishedTable, dataset: str) -> Iterator[str]:
    """Whether LFWA's ATTR Net is printed like MCNN, which was trained on LFWA."""
    first, second = (table.values[dataset, system] for system in BEATEN)
    correlation = np.corrcoef(first, second)[0, 1]
    if dataset == 'lfwa' and correlation > 0.99:
        yield (
            f'the printed {BEATEN[1]} is within {np.abs(first - second).max():.2f} points of {BEATEN[0]} on each '
            f'attribute (correlation {correlation:.3f}). {BEATEN[0]} was trained on LFWA, so {BEATEN[1]} looks as if '
            'it was, too'
        )


def _unusual_gains(table: PublishedTable, dataset: str) -> Iterator[str]:
    """The attributes from which much of the winner's gain comes."""
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
    """How often two images of a person have the same label of Male, which all should have."""
    shares = [model.label_agreement[0, ATTRIBUTES.index('Male')] for model in results]
    shares = [share for share in shares if not np.isnan(share)]
    if shares:
        yield (
            f'the labels have errors, which no network can learn: of Male, two images of one person have the same '
            f'label in {max(shares):.1f} % of cases'
        )
