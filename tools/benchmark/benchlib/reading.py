"""The readers that are compared: mmpretrain's pipeline on JPEG files, and packed faces, with and without workers."""

import resource
import time
from pathlib import Path
from typing import Callable, Dict, List

import torch
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from .runners import our_config, stock_config
from .timing import format_seconds, summarize, times_as_fast

STOCK = 'stock, JPEG files'
PACKED = 'packed faces'


def make_readers(
    configs: Path, files: Path, packed: Path, size: int, images: int, batch_size: int, num_workers: int
) -> Dict[str, Callable[[], None]]:
    """What reads all images once, by name.

    Args:
        configs: The repository's folder of configs.
        files: Faces in CelebA's layout.
        packed: The same packed.
        size: Side of the images.
        images: Their number.
        batch_size: Images in a batch.
        num_workers: Processes of the readers that have some, which are started anew for each reading.
    """
    loaders = {}
    for workers in (0, num_workers):
        suffix = f', {workers} workers' if workers else ''
        loaders[STOCK + suffix] = stock_config(files, size, images, batch_size, workers).train_dataloader
        loaders[PACKED + suffix] = our_config(configs, packed, images, batch_size, workers).train_dataloader
    if torch.cuda.is_available():
        loaders[f'{PACKED}, on the GPU'] = our_config(configs, packed, images, batch_size, 0).train_dataloader
        loaders[f'{PACKED}, on the GPU'].dataset.device = 'cuda'
    readers = {}
    for name, cfg in loaders.items():
        cfg.persistent_workers = cfg.pin_memory = False
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            loader = Runner.build_dataloader(cfg, seed=0)
        readers[name] = lambda loader=loader: read(loader)
    return readers


def read(loader) -> None:
    for _ in loader:
        pass


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def reading_rows(images: int, cpu: Dict[str, List[float]], wall: Dict[str, List[float]], limit: float) -> List[dict]:
    """Figures of each reader.

    Args:
        images: Number of images that were read in a round.
        cpu: Seconds of all cores together.
        wall: Seconds.
        limit: Images/s that one core can copy.
    """
    rows = []
    for name in cpu:
        row = dict(reader=name, cpu=summarize(cpu[name]), wall=summarize(wall[name]))
        row['images_per_core_second'] = images / row['cpu']['median']
        row['images_per_second'] = images / row['wall']['median']
        row['times_stock_a_core'] = times_as_fast(cpu[STOCK], cpu[name])
        row['times_stock'] = times_as_fast(wall[STOCK], wall[name])
        row['share_of_limit'] = row['images_per_core_second'] / limit
        rows.append(row)
    return rows


def reading_table(rows: List[dict], images: int) -> List[List[str]]:
    table = [['reader', 'CPU an image', 'images/s a core', 'x stock', 'of (c)', 'images/s', 'x stock']]
    for row in rows:
        table.append(
            [
                row['reader'],
                format_seconds(row['cpu']['median'] / images),
                format(row['images_per_core_second'], ',.0f'),
                format(row['times_stock_a_core'], '.1f'),
                format(row['share_of_limit'], '.0%'),
                format(row['images_per_second'], ',.0f'),
                format(row['times_stock'], '.1f'),
            ]
        )
    return table
