from .celeba import CelebAIdentity
from .lfwa import LFWA
from .resumable_sampler import ResumableSampler

__all__ = ['CelebAIdentity', 'LFWA', 'ResumableSampler']
