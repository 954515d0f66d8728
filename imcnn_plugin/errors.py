"""The exceptions of this package: one line that names the file, line or key, what was found and what to do."""


class IMCNNError(Exception):
    """Base of every error that this package raises on purpose."""


class DataError(IMCNNError):
    """Annotations or images that cannot be used as they are."""


class ConfigError(IMCNNError):
    """A setting that does not fit the data or the model."""


class TrainingError(IMCNNError):
    """A training cannot go on: its numbers are not finite."""
