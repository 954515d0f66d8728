"""Exceptions with one-line messages: the file, line or key, what was found, and what to do."""

from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import Any, Iterator, Union

__all__ = [
    'ConfigError', 'DataError', 'IMCNNError', 'TrainingError', 'check_sizes', 'describe_os_error',
    'mismatched_weights', 'one_line', 'translate_build_errors', 'translate_errors'
]  # fmt: skip


class IMCNNError(Exception):
    """Base class of all errors that this package raises intentionally."""


class DataError(IMCNNError):
    """Annotations, images or other files cannot be used."""


class ConfigError(IMCNNError):
    """A setting is invalid, or does not match the data or the model."""


class TrainingError(IMCNNError):
    """Training cannot continue because its values are not finite."""


def check_sizes(**sizes: Any) -> None:
    """Checks that settings of a model, by name, are positive integers, sequences of them, or None.

    Raises:
        ConfigError: A size is something else. torch would silently accept 0.
    """
    for name, value in sizes.items():
        numbers = value if isinstance(value, (list, tuple)) else () if value is None else (value,)
        if not all(isinstance(number, Integral) and number > 0 for number in numbers):
            expected = 'positive integers' if numbers is value else 'a positive integer'
            raise ConfigError(f'{name} is {value!r}, expected {expected}')


def one_line(error: Exception) -> str:
    """The type and the message of an error on one line of at most 300 characters."""
    return f'{type(error).__name__}: {" ".join(str(error).split())[:300]}'


def describe_os_error(error: OSError) -> str:
    """Describes an OSError on one line: the file, if any, and the reason."""
    if error.filename and error.strerror:
        return f'{error.filename} cannot be used ({error.strerror})'
    message = str(error).rstrip() or type(error).__name__
    # torch puts the traceback of a worker's process before the message.
    return message.split('\n')[-1] if 'Traceback' in message else ' '.join(message.split())


def mismatched_weights(path: Union[str, Path], error: Exception) -> DataError:
    """Returns the error for a checkpoint whose weights do not match the model."""
    return DataError(f'{path}: its weights are not those of the model in the config ({one_line(error)})')


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turns system errors and errors of data loader workers into one-line errors of this package.

    Raises:
        DataError: For example, a file does not exist, a folder is read-only, or a server cannot be reached.
        IMCNNError: The error of a worker, without the traceback of its process.
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
    """Turns any error while a component is built from the config ``source`` into a one-line error.

    Raises:
        ConfigError: The component cannot be built.
    """
    try:
        yield
    except (IMCNNError, OSError):
        raise
    except Exception as error:
        raise ConfigError(f'{source}: a component cannot be built ({one_line(error)})') from error
