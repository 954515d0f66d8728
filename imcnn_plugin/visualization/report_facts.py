from datetime import datetime
from typing import Iterator, Optional, Tuple

from ..evaluation.report import describe_part
from .run_folder import RunFolder, epochs_of
from .run_predictions import RunPredictions


def facts(run: RunFolder, predictions: Optional[RunPredictions]) -> Iterator[Tuple[str, str]]:
    """What the figures were made with: names and texts."""
    stored, config = run.report or {}, run.config or {}
    report = predictions.report if predictions else stored
    yield 'Config', run.config_file
    if 'model' in config:
        parts = [config['model'].get(part) for part in ('backbone', 'neck', 'head')]
        yield 'Model', ', '.join(part['type'] for part in parts if part)
    if report:
        part = describe_part(report)
        yield 'Tested on', f'{part + ": " if part else ""}{people(report)}'
    yield 'Checkpoint', run.checkpoint.name if run.checkpoint else 'not found'
    wanted = epochs_of(run.config)
    if run.log:
        yield f'{run.log.unit.capitalize()}s', f'{run.log.last}' + (f' of {wanted}' if wanted else '')
        starts = f', the first of {len(run.log.starts)} starts' if len(run.log.starts) > 1 else ''
        yield 'Training began', clock(run.log.starts[0]) + starts
    seed = stored.get('seed', (config.get('randomness') or {}).get('seed'))
    yield 'Seed', 'not recorded' if seed is None else str(seed)
    if thresholds := [x['threshold'] for x in report.get('attributes', {}).values() if 'threshold' in x]:
        low, high = min(thresholds), max(thresholds)
        yield 'Thresholds', f'{low:.3g}' + (f' to {high:.3g}, one for each attribute' if low < high else '')
    versions = stored.get('versions') or {}
    yield 'Versions', ', '.join(f'{name} {version}' for name, version in versions.items()) or 'not recorded'
    for name, value in (report.get('checksums') or {}).items():
        yield f'Checksum of {name}', str(value)


def people(report: dict) -> str:
    return f'{report["num_images"]:,} images of {report["num_identities"]:,} people'


def clock(name: str) -> str:
    """The time for which a start's folder is named."""
    try:
        return f'{datetime.strptime(name, "%Y%m%d_%H%M%S"):%Y-%m-%d %H:%M:%S}'
    except ValueError:
        return name
