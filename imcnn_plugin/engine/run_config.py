"""The config of a runner."""

import copy

from mmengine.config import Config


class _RunConfig(Config):
    """A copy of a config that formats its text again only after a change.

    mmengine formats the text five times when a run starts and again for each checkpoint, and yapf takes 0.2 seconds.
    """

    @classmethod
    def copy_of(cls, cfg: Config) -> '_RunConfig':
        own = cls.__new__(cls)
        own.__setstate__(copy.deepcopy(cfg).__getstate__())
        return own

    @property
    def pretty_text(self) -> str:
        content = repr(self.to_dict())
        before, text = vars(self).get('formatted', (None, None))
        if content != before:
            text = super().pretty_text
            # Attributes of a Config are keys of the config.
            vars(self)['formatted'] = (content, text)
        return text
