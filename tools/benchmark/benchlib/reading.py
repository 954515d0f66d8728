"""Readers to compare: mmpretrain's pipeline on JPEG files, and packed faces, with and without loader processes."""

import resource
import time
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List

import torch
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from .report import cells, format_seconds, speedup, summarize
from .runners import our_config, stock_config

STOCK = 'stock, JPEG files'
PACKED = 'packed faces'


def make_readers(
    files: Path, packed: Path, size: int, images: int, batch_size: int, num_workers: int
) -> Dict[str, Callable[[], None]]:
    """Functions that read all images once, by name.

    Args:
        files: Faces in CelebA's layout.
        packed: The same faces packed.
        size: Side of the images in pixels.
        images: Number of images.
        batch_size: Images per batch.
        num_workers: Number of loader processes, for readers that use them; each pass starts new ones.
    """
    loaders = {}
    for workers in (0, num_workers):
        suffix = f', {workers} workers' if workers else ''
        loaders[STOCK + suffix] = stock_config(files, size, images, batch_size, workers).train_dataloader
        loaders[PACKED + suffix] = our_config(packed, images, batch_size, workers).train_dataloader
    if torch.cuda.is_available():
        cfg = loaders[f'{PACKED}, on the GPU'] = our_config(packed, images, batch_size, 0).train_dataloader
        cfg.dataset.device = 'cuda'
    readers = {}
    for name, cfg in loaders.items():
        cfg.persistent_workers = cfg.pin_memory = False
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            readers[name] = partial(_read, Runner.build_dataloader(cfg, seed=0))
    return readers


def _read(loader: DataLoader) -> None:
    for _ in loader:
        pass


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def reading_rows(images: int, cpu: Dict[str, List[float]], wall: Dict[str, List[float]], bound: float) -> List[dict]:
    """Figures of each reader.

    Args:
        images: Number of images per round.
        cpu: CPU seconds of all cores together.
        wall: Wall-clock seconds.
        bound: The roofline, the images/s that one core can copy.
    """
    rows = []
    for name in cpu:
        row = dict(reader=name, cpu=summarize(cpu[name]), wall=summarize(wall[name]))
        row['images_per_core_second'] = images / row['cpu']['median']
        row['images_per_second'] = images / row['wall']['median']
        row['times_stock_a_core'] = speedup(cpu[STOCK], cpu[name])
        row['times_stock'] = speedup(wall[STOCK], wall[name])
        row['share_of_roofline'] = row['images_per_core_second'] / bound
        rows.append(row)
    return rows


def reading_table(rows: List[dict], images: int) -> List[List[str]]:
    """A table of :func:`reading_rows`."""
    table = [['reader', 'CPU per image', 'images/s per core', 'x stock', 'of (c)', 'images/s', 'x stock']]
    for row in rows:
        figures = cells(row, images_per_core_second=',.0f', times_stock_a_core='.1f', share_of_roofline='.0%')
        figures += cells(row, images_per_second=',.0f', times_stock='.1f')
        table.append([row['reader'], format_seconds(row['cpu']['median'] / images), *figures])
    return table
