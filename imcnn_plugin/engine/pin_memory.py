import torch

from ..errors import ConfigError
from .evaluation_data import _find


def pins_memory(loader: dict, name: str) -> bool:
    """Whether a data loader pins its batches for fast copies to a GPU. By default, it does if a GPU is available.

    Args:
        loader: The settings of the loader and its dataset. Images that a dataset stores on a GPU (``device='cuda'``)
            can be neither pinned nor read by worker processes.
        name: The loader's key in the config, for messages.

    Raises:
        ConfigError: The images are on a GPU, and ``pin_memory`` or ``num_workers`` is set.
    """
    device = str(_find(loader['dataset'], 'device') or 'cpu')
    on_gpu = device.split(':')[0] != 'cpu'
    if on_gpu and (loader.get('num_workers') or loader.get('pin_memory')):
        raise ConfigError(
            f"{name}.dataset.device is '{device}', and what is on a GPU can be neither pinned nor sent by worker "
            f'processes: set {name}.num_workers=0 and {name}.pin_memory=False'
        )
    return loader.get('pin_memory', torch.cuda.is_available() and not on_gpu)
