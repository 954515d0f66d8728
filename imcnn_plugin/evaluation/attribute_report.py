"""The report of an evaluation: ``per_attribute.json``, ``per_attribute.csv`` and the console table."""

import csv
import io
import json
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Union

import numpy as np

from ..errors import DataError
from ..files import read_bytes, write_text
from ..tables import aligned_lines
from .attribute_scores import HEADINGS, PERCENTAGES, mean_or_none, score_attributes
from .identity_agreement import (
    STABLE_AGREEMENT,
    _resampling_units,
    agreement_beyond_chance,
    sum_by_identity,
    within_identity_agreement,
)

REPORT_FILE = 'per_attribute.json'
# tools/test.py writes to this folder of the work directory, beside the report of the training run.
TEST_FOLDER = 'test'
AGREEMENTS = ('agreement', 'label_agreement')
_HINT = f'expected a {REPORT_FILE} written by tools/test.py or tools/train.py'


@dataclass(kw_only=True)
class AttributeReport:
    """The results of an evaluation. Percentages are from 0 to 100; undefined values are None.

    Args:
        mean_accuracy: Mean over attributes.
        protocol: The evaluated protocol, ``split`` and ``fold``.
        num_images: Number of images.
        num_identities: Number of known identities.
        means: Means over attributes of :data:`~imcnn_plugin.evaluation.attribute_scores.PERCENTAGES` and of
            ``agreement`` and ``label_agreement``, the within-identity agreement of predictions and labels.
        groups: Mean accuracy of each group of attributes.
        attributes: For each attribute, the same percentages, ``num_labelled`` and ``threshold``.
        identity_stable: Names of the identity-stable attributes, whose labels agree within an identity beyond chance
            by at least :data:`~imcnn_plugin.evaluation.identity_agreement.STABLE_AGREEMENT`.
        by_identity: Counts for confidence intervals: ``identity``, the I identities, with -1, -2, ... for groups of
            images of unknown identity; ``correct`` and ``labelled``, dicts from attribute to the I numbers of correct
            and of known labels.
        checksums: Checksums of the dataset's lists and images.
        seed: Seed of the run.
        versions: Versions of the packages.
        config: Config of the run.
    """

    mean_accuracy: Optional[float]
    protocol: Optional[str] = None
    split: Optional[str] = None
    fold: Optional[int] = None
    num_images: int
    num_identities: int
    means: Dict[str, Optional[float]]
    groups: Dict[str, Optional[float]]
    attributes: Dict[str, Dict[str, Optional[float]]]
    identity_stable: List[str] = field(default_factory=list)
    by_identity: Optional[Dict[str, Any]] = None
    checksums: Optional[Dict[str, str]] = None
    seed: Optional[int] = None
    versions: Optional[Dict[str, str]] = None
    config: Optional[dict] = None

    @classmethod
    def from_scores(
        cls,
        scores: np.ndarray,
        targets: np.ndarray,
        identity: np.ndarray,
        classes: Sequence[str],
        groups: Sequence[dict] = (),
        thresholds: Union[float, np.ndarray] = 0.5,
        metainfo: Mapping[str, Any] = {},
    ) -> 'AttributeReport':
        """Scores predictions.

        Args:
            scores: Probabilities ``(N, L)``.
            targets: ``(N, L)``, 1 or 0; -1 is unknown and not scored.
            identity: Identity of each image in the dataset ``(N, )``, -1 for unknown.
            classes: The L names.
            groups: Groups of attributes, dicts of ``name`` and ``labels``.
            thresholds: An attribute is predicted if its score reaches the threshold: one for all, or ``(L, )``.
            metainfo: The dataset's ``metainfo``, which provides protocol, split, fold and checksums.
        """
        known, positive, predicted = targets >= 0, targets == 1, scores >= thresholds
        columns = dict(
            score_attributes(scores, targets, thresholds),
            agreement=within_identity_agreement(predicted, known, identity),
            label_agreement=within_identity_agreement(positive, known, identity),
        )
        means = {key: mean_or_none(columns[key]) for key in (*PERCENTAGES, *AGREEMENTS)}
        columns['threshold'] = np.broadcast_to(thresholds, len(classes)).astype(float).round(6)
        attributes = {
            name: {key: None if np.isnan(column[i]) else column[i].item() for key, column in columns.items()}
            for i, name in enumerate(classes)
        }
        units = _resampling_units(identity)
        counts, _ = sum_by_identity(units, known & (predicted == positive), known)
        correct, labelled = (dict(zip(classes, count.T.astype(int).tolist())) for count in counts)
        accuracy = dict(zip(classes, columns['accuracy']))
        return cls(
            mean_accuracy=means['accuracy'],
            num_images=len(scores),
            num_identities=len(np.unique(identity[identity >= 0])),
            means=means,
            groups={group['name']: mean_or_none([accuracy[name] for name in group['labels']]) for group in groups},
            attributes=attributes,
            identity_stable=[
                name
                for name, value in zip(classes, agreement_beyond_chance(targets, identity)[0])
                if value >= STABLE_AGREEMENT
            ],
            by_identity=dict(identity=np.unique(units).tolist(), correct=correct, labelled=labelled),
            **{key: metainfo.get(key) for key in ('protocol', 'split', 'fold', 'checksums')},
        )

    @classmethod
    def load(cls, path: Union[str, Path]) -> 'AttributeReport':
        """Reads a ``per_attribute.json``, also of older versions.

        Raises:
            DataError: The file cannot be read, or a value is missing or invalid.
        """
        try:
            values = json.loads(read_bytes(path, _HINT))
        except ValueError as error:
            raise DataError(f'{path} is not JSON ({error}): {_HINT}') from error
        for key, kind in dict(attributes=dict, means=dict, groups=dict, num_images=int, num_identities=int).items():
            if not isinstance(values, dict) or key not in values:
                raise DataError(f"{path} has no '{key}': {_HINT}")
            if not isinstance(values[key], kind):
                raise DataError(f"{path}: '{key}' is {str(values[key])[:60]!r}, expected {kind.__name__}: {_HINT}")
        _check_percentages(path, 'the report', values, ['mean_accuracy'])
        _check_percentages(path, 'groups', values['groups'], values['groups'])
        for name, row in (('means', values['means']), *values['attributes'].items()):
            _check_percentages(path, name, row, PERCENTAGES)
            # Older files lack these keys and have another name for 'identity_stable'.
            for key in AGREEMENTS if row is values['means'] else (*AGREEMENTS, 'num_labelled', 'threshold'):
                row.setdefault(key, None)
        values.setdefault('identity_stable', values.get('lasting', []))
        return cls(**{key.name: values[key.name] for key in fields(cls) if key.name in values})

    def save(self, folder: Union[str, Path], name: str = REPORT_FILE) -> None:
        """Atomically writes ``per_attribute.json`` and ``per_attribute.csv``, or files of another name.

        Raises:
            DataError: A file cannot be written.
        """
        table = io.StringIO()
        writer = csv.writer(table, lineterminator='\n')
        columns = (*PERCENTAGES, *AGREEMENTS, 'num_labelled', 'threshold')
        writer.writerow(['attribute', *columns])
        for attribute, row in (*self.attributes.items(), ('mean', self.means)):
            writer.writerow([attribute, *(row.get(key) for key in columns)])
        path = Path(folder, name)
        text = json.dumps(self.to_dict(), indent=1)
        # One line per list of scalars, since some lists are long.
        text = re.sub(r'\[\n[^][{}]*\]', lambda match: re.sub(r'\n *', ' ', match[0]), text)
        write_text(path, text + '\n')
        write_text(path.with_suffix('.csv'), table.getvalue())

    def to_dict(self) -> dict:
        """The content of ``per_attribute.json``."""
        return {key: value for key, value in vars(self).items() if value is not None or key == 'mean_accuracy'}

    def column(self, key: str, names: Optional[Sequence[str]] = None) -> np.ndarray:
        """One value of all or of the named attributes, ``(L, )``; NaN where undefined."""
        return np.array([self.attributes[name][key] for name in names or self.attributes], dtype=float)

    def describe(self) -> str:
        """What was evaluated: ``protocol official, split test: 1,530 images of 549 identities``."""
        return ': '.join(filter(None, [describe_split(vars(self)), self.count_images()]))

    def count_images(self) -> str:
        """The size of the split: ``1,530 images of 549 identities``."""
        return f'{self.num_images:,} images of {self.num_identities:,} identities'

    def describe_thresholds(self) -> str:
        """The range of thresholds: ``0.5`` or ``0.31 to 0.66, one per attribute``; empty if unknown."""
        thresholds = self.column('threshold')
        if np.isnan(thresholds).any():
            return ''
        low, high = thresholds.min(), thresholds.max()
        return f'{low:.3g}' + (f' to {high:.3g}, one per attribute' if low < high else '')

    def differences(self, expected: 'AttributeReport', tolerance: float) -> List[str]:
        """Lists the differences from an expected report, one line per difference.

        Args:
            expected: The expected results.
            tolerance: Allowed difference of the mean accuracy and of each attribute's, in percentage points.
        """
        if set(self.attributes) != set(expected.attributes):
            return ['the attributes are not the expected ones']
        pairs = {'the mean': (self.mean_accuracy, expected.mean_accuracy)}
        for name, row in self.attributes.items():
            pairs[name] = row['accuracy'], expected.attributes[name]['accuracy']
        lines = [
            f'{name} is {found}, expected {wanted}'
            for name, (found, wanted) in pairs.items()
            if (found is None) != (wanted is None) or (found is not None and abs(found - wanted) > tolerance)
        ]
        for key, wanted in (expected.checksums or {}).items():
            if (self.checksums or {}).get(key) != wanted:
                lines.append(f'the checksum of the {key} is not the expected one: this is other data')
        return lines

    def table(self) -> str:
        """The console table: one line per attribute, means and groups, then what was evaluated."""
        rows = [['attribute (%)', *HEADINGS.values(), 'labelled']]
        rows += [[name, *_cells(row, PERCENTAGES), str(row['num_labelled'])] for name, row in self.attributes.items()]
        rows.append(['mean', *_cells(self.means, PERCENTAGES), ''])
        rules = [1, len(rows) - 1, *([len(rows)] if self.groups else [])]
        rows += [[name, *_cells(self.groups, [name]), *[''] * len(PERCENTAGES)] for name in self.groups]
        lines = aligned_lines(rows, rules)
        mean, baseline = _cells(self.means, ('accuracy', 'majority_baseline'))
        lines += ['-' * len(lines[0])]
        lines += [f'{self.describe()}; mean accuracy {mean} %, majority-class baseline {baseline} %']
        if self.means['agreement'] is not None:
            predicted, labelled = (self.means[key] for key in AGREEMENTS)
            lines.append(f'Within-identity agreement: predictions {predicted:.2f} %, labels {labelled:.2f} %')
        lines.append(f'Thresholds: {self.describe_thresholds()}')
        return '\n'.join(lines)


def _cells(row: dict, keys: Iterable[str]) -> List[str]:
    return ['-' if row[key] is None else f'{row[key]:.2f}' for key in keys]


def describe_split(values: Mapping[str, Any]) -> str:
    """Describes the protocol, split and fold of a report or of a row of a results file."""
    return ', '.join(f'{key} {values[key]}' for key in ('protocol', 'split', 'fold') if values.get(key) is not None)


def _check_percentages(path: Union[str, Path], name: str, row: Any, keys: Sequence[str]) -> None:
    for key in keys:
        if not isinstance(row, dict) or key not in row:
            raise DataError(f'{path}: {name} has no {key}: {_HINT}')
        value = row[key]
        if value is not None and not (type(value) in (int, float) and 0 <= value <= 100):
            raise DataError(f'{path}: {key} of {name} is {value!r}, expected a percentage or null')
