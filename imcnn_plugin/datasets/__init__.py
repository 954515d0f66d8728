from .celeba import CelebAIdentity
from .lfwa import LFWA

__all__ = ['CelebAIdentity', 'LFWA']
