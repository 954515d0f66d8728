from .attribute_csv import AttributeCSV
from .celeba import CelebAIdentity
from .lfwa import LFWA
from .packed_faces import PackedFaces
from .resumable_sampler import ResumableSampler

__all__ = ['AttributeCSV', 'CelebAIdentity', 'LFWA', 'PackedFaces', 'ResumableSampler']
