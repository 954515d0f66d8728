"""What a run says on the console. Its log file has everything."""

import logging

from mmengine.logging import MMLogger

# How messages of mmengine begin that few read: the environment, the config, the hooks, what happens in each epoch, and
# warnings of mmengine about itself.
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
    """Keeps messages that belong in the log file from the console."""
    for handler in logger.handlers:
        if not isinstance(handler, logging.FileHandler) and not any(
            isinstance(item, _ConsoleFilter) for item in handler.filters
        ):
            handler.addFilter(_ConsoleFilter())
