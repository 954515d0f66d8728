"""What a training has left in its work folder."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import List, Optional, Union

from mmengine.config import Config

from ..checkpoints.config_text import parse_config
from ..checkpoints.find_latest import newest_checkpoint
from ..engine.training_log import TrainingLog, read_log
from ..errors import DataError
from ..evaluation.attribute_scores import PERCENTAGES
from ..paper.measured_results import percentage


@dataclass
class RunFolder:
    """Whatever was found; None is what is missing, of which ``notes`` has a line."""

    path: Path
    name: str
    config: Optional[Config] = None
    config_file: str = 'not found'
    config_text: str = ''
    report: Optional[dict] = None
    log: Optional[TrainingLog] = None
    checkpoint: Optional[Path] = None
    notes: List[str] = field(default_factory=list)


def read_run(work_dir: Union[str, Path], checkpoint: Optional[str] = None) -> RunFolder:
    """Reads a work folder.

    Args:
        work_dir: The folder.
        checkpoint: A file in place of the folder's best checkpoint or, where there is none, of its newest.

    Raises:
        DataError: There is no such folder, nothing of a training is in it, or a file in it is damaged.
    """
    work_dir = Path(work_dir)
    if not work_dir.is_dir():
        raise DataError(f'{work_dir} is no folder: give the work folder of a training')
    run = RunFolder(work_dir, work_dir.resolve().name)
    read_config(run)
    read_report(run)
    run.log = read_log(work_dir)
    if run.log is None:
        run.notes.append(f'{work_dir} has no <time>/vis_data/scalars.json, so there are no curves.')
    run.checkpoint = Path(checkpoint) if checkpoint else best_checkpoint(work_dir)
    if not (run.config or run.report or run.log or run.checkpoint):
        raise DataError(f'{work_dir} has nothing of a training in it: give the work folder of a training')
    wanted = epochs_of(run.config)
    if run.log and wanted and run.log.last < wanted:
        run.notes.append(f'The training is not finished: {run.log.unit} {run.log.last} of {wanted}.')
    return run


def read_config(run: RunFolder) -> None:
    """The config that mmengine wrote into the folder at the last start."""
    files = [*run.path.glob('*.py'), *run.path.glob('*/vis_data/config.py')]
    if not files:
        run.notes.append(f"{run.path} has no config's file.")
        return
    # Of the same start there are two, and the one in the folder itself has the name of the config.
    path = max(files, key=lambda path: (path.parent == run.path, path.stat().st_mtime))
    run.config_file, run.config_text = str(path.relative_to(run.path)), path.read_text(encoding='utf-8')
    run.config = parse_config(run.config_text, path)
    if path.parent == run.path:
        run.name = path.stem


def read_report(run: RunFolder) -> None:
    """``per_attribute.json``, with NaN for what is undefined."""
    path = run.path / 'per_attribute.json'
    if not path.is_file():
        run.notes.append(f'{path} is missing: neither a validation nor a test has ended.')
        return
    try:
        report = json.loads(path.read_text(encoding='utf-8'))
        tables = {'means': report['means'], **report['attributes']}
        counts = [report['num_images'], report['num_identities'], len(report['groups'])]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f'{path} is not what a test writes ({error!r}): test anew with tools/test.py') from error
    for name in tables:
        for key in PERCENTAGES:
            percentage(str(path), tables, name, key)
    if not all(isinstance(count, int) for count in counts):
        raise DataError(f'{path}: expected numbers of images and identities, found {counts[:2]}')
    run.report = report
    if run.config is None and report.get('config'):
        run.config = Config(report['config'])


def best_checkpoint(work_dir: Path) -> Optional[Path]:
    """The best checkpoint or, where there is none, the newest: what a training tests at its end."""
    if best := list(work_dir.glob('best_*.pth')):
        return max(best, key=lambda path: path.stat().st_mtime)
    newest = newest_checkpoint(work_dir)
    return Path(newest) if newest else None


def epochs_of(config: Optional[Config]) -> Optional[int]:
    """How many epochs, or iterations, a config trains."""
    schedule = (config or {}).get('train_cfg') or {}
    return schedule.get('max_epochs') or schedule.get('max_iters')


def groups_of(config: Optional[Config]) -> List[dict]:
    """The groups of attributes whose accuracies a config's test reports, dicts of ``name`` and ``labels``."""
    evaluators = (config or {}).get('test_evaluator') or []
    evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
    return next((evaluator['groups'] for evaluator in evaluators if evaluator.get('groups')), [])
