"""Filters what a run prints on the console. Its log file has every message."""

import logging

from mmengine.logging import MMLogger

# The beginnings of mmengine's messages that few users read: the environment, the config, the hooks, events of every
# epoch, and mmengine's warnings about itself.
_FILE_ONLY = (
    '\n------------------------------------------------------------\nSystem environment',
    'Config:',
    'Using env variable',
    'Distributed training is not used',
    'Hooks will be executed',
    'Checkpoints will be saved',
    'Loads checkpoint by',
    'Exp name',
    'Saving checkpoint at',
    'The best checkpoint with',
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
)


class _ConsoleFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(_FILE_ONLY)


def _quiet_console(logger: MMLogger) -> None:
    """Keeps messages that belong only in the log file off the console."""
    for handler in logger.handlers:
        if not isinstance(handler, logging.FileHandler) and not any(
            isinstance(item, _ConsoleFilter) for item in handler.filters
        ):
            handler.addFilter(_ConsoleFilter())
