"""The exceptions of this package: one line that names the file, line or key, what was found and what to do."""

import os
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Union

from mmengine.config import Config


class IMCNNError(Exception):
    """Base of every error that this package raises on purpose."""


class DataError(IMCNNError):
    """Annotations or images that cannot be used as they are."""


class ConfigError(IMCNNError):
    """A setting that does not fit the data or the model."""


class TrainingError(IMCNNError):
    """A training cannot go on: its numbers are not finite."""


def in_one_line(error: Exception) -> str:
    """The kind of an error and what it says, for a message."""
    return f'{type(error).__name__}: {" ".join(str(error).split())[:300]}'


def unfit_weights(path: Union[str, Path], error: Exception) -> DataError:
    """What is to be raised where a checkpoint's weights did not go into the model."""
    return DataError(f'{path}: its weights are not those of the model in the config ({in_one_line(error)})')


@contextmanager
def plain_errors(cfg: Config) -> Iterator[None]:
    """Makes errors of this package, of one line, of those of parts that cannot be built and of a loader's workers.

    Raises:
        ConfigError: A part cannot be built of what the config says.
        DataError: A file is not there.
    """
    try:
        yield
    except IMCNNError as error:
        # torch puts the traceback of a worker's process before the message.
        message = str(error).rstrip().split('\n')[-1]
        if message == str(error):
            raise
        raise type(error)(message.partition(': ')[2]) from error
    except FileNotFoundError as error:
        raise DataError(str(error).rstrip().split('\n')[-1]) from error
    except Exception as error:
        calls = traceback.extract_tb(error.__traceback__)
        if not any(f'{os.sep}mmengine{os.sep}' in call.filename and call.name.startswith('build_') for call in calls):
            raise
        raise ConfigError(f'{cfg.filename}: a part of it cannot be built ({in_one_line(error)})') from error
