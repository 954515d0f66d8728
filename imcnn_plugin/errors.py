"""The exceptions of this package: one line with the file, line or key, what was found and what to do."""

from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import Any, Iterator, Union

__all__ = [
    'ConfigError', 'DataError', 'IMCNNError', 'TrainingError', 'check_sizes', 'describe_os_error',
    'mismatched_weights', 'one_line', 'translate_build_errors', 'translate_errors'
]  # fmt: skip


class IMCNNError(Exception):
    """Base class of every error that this package raises on purpose."""


class DataError(IMCNNError):
    """Annotations, images or files that cannot be used as they are."""


class ConfigError(IMCNNError):
    """A setting that does not fit the data or the model."""


class TrainingError(IMCNNError):
    """Training cannot continue: its numbers are not finite."""


def check_sizes(**sizes: Any) -> None:
    """Checks settings of a model by their names: positive whole numbers, sequences of them, or None.

    Raises:
        ConfigError: A size is something else; torch takes 0 in silence.
    """
    for name, value in sizes.items():
        numbers = value if isinstance(value, (list, tuple)) else () if value is None else (value,)
        if not all(isinstance(number, Integral) and number > 0 for number in numbers):
            expected = 'positive whole numbers' if numbers is value else 'a positive whole number'
            raise ConfigError(f'{name} is {value!r}, expected {expected}')


def one_line(error: Exception) -> str:
    """The type and the message of an error on one line of at most 300 characters."""
    return f'{type(error).__name__}: {" ".join(str(error).split())[:300]}'


def describe_os_error(error: OSError) -> str:
    """A file and why it cannot be used, on one line; of another error of the system, its message."""
    if error.filename and error.strerror:
        return f'{error.filename} cannot be used ({error.strerror})'
    message = str(error).rstrip() or type(error).__name__
    # torch puts the traceback of a worker's process before the message.
    return message.split('\n')[-1] if 'Traceback' in message else ' '.join(message.split())


def mismatched_weights(path: Union[str, Path], error: Exception) -> DataError:
    """The error to raise if the weights of a checkpoint do not fit the model."""
    return DataError(f'{path}: its weights are not those of the model in the config ({one_line(error)})')


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turns errors of data loader workers and of the system into one-line errors of this package.

    Raises:
        DataError: A file does not exist, a folder is read-only, a server cannot be reached, ...
        IMCNNError: What a worker raised, without the traceback of its process.
    """
    try:
        yield
    except IMCNNError as error:
        # torch puts the traceback of a worker's process before the message.
        message = str(error).rstrip().split('\n')[-1]
        if message == str(error):
            raise
        raise type(error)(message.partition(': ')[2]) from error
    except OSError as error:
        raise DataError(describe_os_error(error)) from error


@contextmanager
def translate_build_errors(source: str) -> Iterator[None]:
    """Turns whatever a component raises while it is built from a config, the source, into a one-line error.

    Raises:
        ConfigError: The component cannot be built.
    """
    try:
        yield
    except (IMCNNError, OSError):
        raise
    except Exception as error:
        raise ConfigError(f'{source}: a component cannot be built ({one_line(error)})') from error
