from .celeba import CelebAIdentity

__all__ = ['CelebAIdentity']
