from itertools import islice
from typing import Iterator

from mmengine.dataset import DefaultSampler
from mmpretrain.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ResumableSampler(DefaultSampler):
    """mmengine's ``DefaultSampler``, which can start in the middle of an epoch.

    :attr:`first` is the number of samples that this process skips. The length is still that of a whole epoch.
    """

    first = 0

    def __iter__(self) -> Iterator[int]:
        return islice(super().__iter__(), self.first, None)
