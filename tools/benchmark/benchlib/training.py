"""The variants of training that are compared: the obvious one, ours option by option, and ours without reading."""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.structures import DataSample

from imcnn_plugin.engine.malloc_tuning import keep_freed_memory

from .gpu_use import busy_share, peak_memory
from .loop_cost import random_faces
from .network import Network, build_model, share_weights
from .report import hours, the_device
from .runners import our_config, own_bytes, set_layout, share_state, start, stock_config
from .timing import cell, format_seconds, summarize, times_as_fast

OBVIOUS = 'obvious (a)'
SYNTHETIC = 'same step, synthetic input (b)'
ON_GPU = '+ images on the GPU'
KEPT = '+ memory kept'
COMPILED = '+ compile'
# Each adds its options to those of all before it.
OPTIONS = {
    'ours': {},
    '+ channels_last': {'default_hooks.speed.channels_last': True},
    '+ bf16': {'optim_wrapper.type': 'BF16OptimWrapper'},
    '+ fused SGD': {'optim_wrapper.optimizer.fused': True},
    KEPT: {'default_hooks.speed.keep_memory': True},
    ON_GPU: {'train_dataloader.dataset.device': 'cuda', 'train_dataloader.pin_memory': False},
    COMPILED: {'default_hooks.speed.compile': True},
}
# 30 epochs of 180,000 images (section 4.1 of the paper).
PAPER_IMAGES = 30 * 180000


@dataclass(frozen=True)
class Variant:
    """One way of training.

    Args:
        run: Makes the steps of one block.
        runner: Whose model and optimiser it trains.
        dtype: Precision of its products.
        memory_format: Layout of the weights.
        keep_memory: Whether the process keeps what is freed.
    """

    run: Callable[[], None]
    runner: Runner
    dtype: torch.dtype = torch.float32
    memory_format: torch.memory_format = torch.contiguous_format
    keep_memory: bool = False

    def prepare(self) -> None:
        keep_freed_memory(self.keep_memory)
        set_layout(self.runner, self.memory_format)
        if self.keep_memory:
            # A training takes its memory once, in its first step.
            self.run()


@dataclass(frozen=True)
class Data:
    """The same faces as files and packed, and what a block takes of them."""

    files: Path
    packed: Path
    batch_size: int
    steps: int

    @property
    def images(self) -> int:
        return self.batch_size * self.steps


def make_variants(configs: Path, data: Data, network: Network, work_dir: Path, compiled: bool) -> Dict[str, Variant]:
    """All of them, each ready for its first step. Call ``prepare`` of a variant before it runs.

    Those of ours share their weights and their momentum.
    """
    workers = 8 if torch.cuda.is_available() else 0
    cfg = stock_config(data.files, network.size, data.images, data.batch_size, workers)
    runner = start(cfg, network.build_obvious(), work_dir, 'obvious')
    variants = {OBVIOUS: Variant(runner.train_loop.run_epoch, runner)}

    cfg = network.change(our_config(configs, data.packed, data.images, data.batch_size))
    model, first = build_model(cfg).to(the_device()), None
    for name, options in OPTIONS.items():
        if (name == COMPILED and not compiled) or name == (KEPT if torch.cuda.is_available() else ON_GPU):
            continue
        cfg.merge_from_dict(options)
        runner = start(cfg, share_weights(model), work_dir, name)
        first = first or runner
        share_state(first, runner)
        variants[name] = Variant(runner.train_loop.run_epoch, runner, *settings(cfg))

    # Of the last, which has every option.
    batch = synthetic_batch(network, data.batch_size, the_device())

    def steps() -> None:
        for _ in range(data.steps):
            runner.model.train_step(batch, runner.optim_wrapper)

    variants[SYNTHETIC] = Variant(steps, runner, *settings(cfg))
    return variants


def settings(cfg: Config) -> Tuple[torch.dtype, torch.memory_format, bool]:
    """Precision and layout that a config trains in, and whether it keeps memory."""
    return (
        torch.bfloat16 if cfg.optim_wrapper.type == 'BF16OptimWrapper' else torch.float32,
        torch.channels_last if cfg.default_hooks.speed.get('channels_last') else torch.contiguous_format,
        bool(cfg.default_hooks.speed.get('keep_memory')),
    )


def synthetic_batch(network: Network, batch_size: int, device: torch.device) -> dict:
    """A batch as packed faces give it, on the device already."""
    faces = {
        name: torch.from_numpy(array).to(device)
        for name, array in random_faces(batch_size, network.size, network.num_identities).items()
    }
    samples = DataSample()
    samples.gt_score, samples.gt_identity = faces['labels'].float(), faces['identity']
    return dict(inputs=faces['images'].permute(0, 3, 1, 2), data_samples=samples)


def training_rows(
    variants: Dict[str, Variant], blocks: Dict[str, List[float]], data: Data, limits: Dict[torch.dtype, float]
) -> List[dict]:
    """Figures of each variant, in seconds of one step; on a GPU it runs once more for its use.

    Args:
        variants: Of :func:`make_variants`.
        blocks: Their times, of :func:`~benchlib.timing.alternate`.
        data: What a block takes.
        limits: Seconds of a step at the limit of the machine, by precision.
    """
    seconds = {name: [value / data.steps for value in values] for name, values in blocks.items()}
    rows = []
    for name, variant in variants.items():
        row = dict(variant=name, **summarize(seconds[name]), rounds=seconds[name])
        row['images_per_second'] = data.batch_size / row['median']
        row['times_obvious'] = times_as_fast(seconds[OBVIOUS], seconds[name])
        row['share_of_synthetic'] = times_as_fast(seconds[SYNTHETIC], seconds[name])
        row['share_of_limit'] = limits[variant.dtype] / row['median']
        row['paper_schedule_seconds'] = PAPER_IMAGES / row['images_per_second']
        if torch.cuda.is_available():
            variant.prepare()
            row['gpu_busy'] = busy_share(variant.run)
            row['peak_bytes'] = peak_memory(variant.run, own_bytes(variant.runner))
        rows.append(row)
    return rows


def training_table(rows: List[dict]) -> List[List[str]]:
    table = [['variant', 'step', 'quartiles', 'images/s', 'x (a)', 'of (b)', 'of (c)', 'paper', 'GPU busy', 'peak GB']]
    for row in rows:
        quartiles = f'{format_seconds(row["lower_quartile"])} - {format_seconds(row["upper_quartile"])}'
        figures = [
            format(row['images_per_second'], '.4g'),
            format(row['times_obvious'], '.2f'),
            *(format(row[key], '.0%') for key in ('share_of_synthetic', 'share_of_limit')),
            hours(row['paper_schedule_seconds']),
        ]
        gpu = [cell(row.get('gpu_busy'), '.0%'), cell(row.get('peak_bytes', 0) / 1e9 or None, '.1f')]
        table.append([row['variant'], format_seconds(row['median']), quartiles, *figures, *gpu])
    return table
