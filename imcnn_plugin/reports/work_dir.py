"""Reads the files of a run from its work directory."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import List, Optional, Union

from mmengine.config import Config

from ..checkpoints.config_text import parse_config
from ..checkpoints.find_latest import find_best
from ..checkpoints.read_checkpoint import read_checkpoint
from ..engine.training_log import TrainingLog, read_log
from ..errors import DataError, IMCNNError
from ..evaluation import REPORT_FILE, AttributeReport


@dataclass
class WorkDir:
    """The contents of a work directory. Missing parts are None and have a line in ``notes``."""

    path: Path
    name: str
    config: Optional[Config] = None
    config_file: str = 'not found'
    config_text: str = ''
    report: Optional[AttributeReport] = None
    log: Optional[TrainingLog] = None
    checkpoint: Optional[Path] = None
    notes: List[str] = field(default_factory=list)


def read_work_dir(work_dir: Union[str, Path], checkpoint: Optional[str] = None) -> WorkDir:
    """Reads a work directory.

    Args:
        work_dir: The directory.
        checkpoint: A file to use instead of the best or, without a best one, the latest checkpoint.

    Raises:
        DataError: The directory does not exist, is not that of a run, or has a damaged file.
    """
    work_dir = Path(work_dir)
    if not work_dir.is_dir():
        raise DataError(f'{work_dir} is not a directory: give the work directory of a run')
    run = WorkDir(work_dir, work_dir.resolve().name)
    if found := checkpoint or find_best(work_dir):
        run.checkpoint = Path(found)
    _read_config(run)
    _read_report(run)
    run.log = read_log(work_dir)
    if run.log is None:
        run.notes.append(f'{work_dir} has no <time>/vis_data/scalars.json, so there are no curves.')
    if not (run.config or run.report or run.log or run.checkpoint):
        raise DataError(f'{work_dir} has no config, log, report or checkpoint: give the work directory of a run')
    planned = _planned_epochs(run.config)
    if run.log and planned and run.log.last < planned:
        run.notes.append(f'Training is not finished: {run.log.unit} {run.log.last} of {planned}.')
    return run


def _read_config(run: WorkDir) -> None:
    """The config of the checkpoint or, if it cannot be read, the one that was written last."""
    try:
        if run.checkpoint:
            checkpoint = read_checkpoint(run.checkpoint)
            run.name, run.config, run.config_text = checkpoint.name, checkpoint.cfg, checkpoint.meta['cfg']
            run.config_file = run.checkpoint.name
            return
    except IMCNNError:
        # The code that uses the checkpoint reports what is wrong with it.
        pass
    files = [*run.path.glob('*.py'), *run.path.glob('*/vis_data/config.py')]
    if not files:
        run.notes.append(f'{run.path} has no config file.')
        return
    # The file in the directory itself has the config's name and is that of the last training run.
    path = max(files, key=lambda path: (path.parent == run.path, path.stat().st_mtime))
    run.config_file, run.config_text = str(path.relative_to(run.path)), path.read_text(encoding='utf-8')
    run.config = parse_config(run.config_text, path)
    if path.parent == run.path:
        run.name = path.stem


def _read_report(run: WorkDir) -> None:
    """The report of the last evaluation."""
    path = run.path / REPORT_FILE
    if not path.is_file():
        run.notes.append(f'{path} is missing: no validation or test has completed.')
        return
    run.report = AttributeReport.load(path)
    if run.config is None and run.report.config:
        run.config = Config(run.report.config)


def _planned_epochs(config: Optional[Config]) -> Optional[int]:
    """The epochs, or iterations, of a config."""
    schedule = (config or {}).get('train_cfg') or {}
    return schedule.get('max_epochs') or schedule.get('max_iters')


def _attribute_groups(config: Optional[Config]) -> List[dict]:
    """The groups of attributes that a config's test reports, dicts of ``name`` and ``labels``."""
    evaluators = (config or {}).get('test_evaluator') or []
    evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
    return next((evaluator['groups'] for evaluator in evaluators if evaluator.get('groups')), [])
