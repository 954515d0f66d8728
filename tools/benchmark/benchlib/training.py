"""Training variants to compare: the reference, this package option by option, and the same on synthetic input."""

from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Callable, Dict, List, Set

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from imcnn_plugin.engine import keep_freed_memory

from .faces import synthetic_batch
from .network import Network, build_model, share_weights
from .report import cells, format_seconds, gpu_cells, speedup, summarize, the_device
from .roofline import gpu_use
from .runners import our_config, start_runner, stock_config

REFERENCE = 'reference (a)'
SYNTHETIC = 'same step, synthetic input (b)'
ON_GPU = '+ images on the GPU'
KEPT = '+ memory kept'
COMPILED = '+ compile'
GRAPHS = '+ CUDA graphs'
# Each variant adds its options to those of all previous variants.
OPTIONS = {
    'ours': {},
    '+ channels_last': {'default_hooks.speed.channels_last': True},
    '+ bf16': {'optim_wrapper.type': 'BF16OptimWrapper'},
    '+ fused SGD': {'optim_wrapper.optimizer.fused': True},
    KEPT: {'default_hooks.speed.keep_memory': True},
    ON_GPU: {'train_dataloader.dataset.device': 'cuda', 'train_dataloader.pin_memory': False},
    COMPILED: {'default_hooks.speed.compile': True},
    GRAPHS: {'default_hooks.speed.compile': dict(mode='reduce-overhead', dynamic=False)},
}
# 30 epochs of 180,000 images (section 4.1 of the paper).
PAPER_IMAGES = 30 * 180000


@dataclass(frozen=True)
class Variant:
    """One way to train.

    Args:
        run: Trains for the steps of one block.
        runner: The runner, with the model and optimizer.
        dtype: Precision of the matrix products.
        memory_format: Layout of the weights.
        keep_memory: Whether the process keeps freed memory.
    """

    run: Callable[[], None]
    runner: Runner
    dtype: torch.dtype = torch.float32
    memory_format: torch.memory_format = torch.contiguous_format
    keep_memory: bool = False

    @classmethod
    def of(cls, runner: Runner, run: Callable[[], None]) -> 'Variant':
        """Creates a variant from a runner and its config."""
        cfg, speed = runner.cfg, runner.cfg.default_hooks.speed
        return cls(
            run,
            runner,
            torch.bfloat16 if cfg.optim_wrapper.type == 'BF16OptimWrapper' else torch.float32,
            torch.channels_last if speed.get('channels_last') else torch.contiguous_format,
            bool(speed.get('keep_memory')),
        )

    def prepare(self) -> None:
        """Must be called before ``run`` if another variant ran in between."""
        keep_freed_memory(self.keep_memory)
        self.runner.model.to(memory_format=self.memory_format)
        for values in self.runner.optim_wrapper.optimizer.state.values():
            for name, value in values.items():
                if isinstance(value, torch.Tensor) and value.dim() == 4:
                    values[name] = value.contiguous(memory_format=self.memory_format)
        if self.keep_memory:
            # Training allocates its memory once, in the first step.
            self.run()

    @property
    def own_bytes(self) -> int:
        """Bytes of weights, buffers and momentum."""
        model, state = self.runner.model, self.runner.optim_wrapper.optimizer.state
        tensors = [*model.parameters(), *model.buffers(), *(v for values in state.values() for v in values.values())]
        return sum(tensor.nbytes for tensor in tensors if isinstance(tensor, torch.Tensor))


@dataclass(frozen=True)
class Data:
    """The same faces as files and packed, and the size of a block."""

    files: Path
    packed: Path
    batch_size: int
    steps: int

    @property
    def images(self) -> int:
        """Images in a block."""
        return self.batch_size * self.steps


def make_variants(data: Data, network: Network, work_dir: Path, compiled: bool) -> Dict[str, Variant]:
    """All variants by name. All but the reference share their weights and momentum.

    Args:
        data: The training data.
        network: Size of the network.
        work_dir: Folder for logs.
        compiled: Include a compiled variant.
    """
    workers = 8 if torch.cuda.is_available() else 0
    cfg = stock_config(data.files, network.size, data.images, data.batch_size, workers)
    runner = start_runner(cfg, network.build_reference(), work_dir, 'reference')
    variants = {REFERENCE: Variant(runner.train_loop.run_epoch, runner)}

    cfg = network.resize(our_config(data.packed, data.images, data.batch_size))
    model, state = build_model(cfg).to(the_device()), None
    left_out = unavailable()
    for name, options in OPTIONS.items():
        if name in left_out or (name in (COMPILED, GRAPHS) and not compiled):
            continue
        set_options(cfg, options)
        runner = start_runner(cfg, share_weights(model), work_dir, name)
        optimizer = runner.optim_wrapper.optimizer
        state = optimizer.state = optimizer.state if state is None else state
        variants[name] = Variant.of(runner, runner.train_loop.run_epoch)

    # Uses the last runner, which has every option.
    variants[SYNTHETIC] = Variant.of(runner, synthetic_steps(runner, network, data.batch_size, data.steps))
    return variants


def unavailable() -> Set[str]:
    """The GPU-only variants without a GPU, or the CPU-only variants with a GPU."""
    return {KEPT} if torch.cuda.is_available() else {ON_GPU, GRAPHS}


def set_options(cfg: Config, options: dict) -> None:
    """Sets values by dotted keys, replacing what was there."""
    for key, value in options.items():
        section, name = key.rsplit('.', 1)
        # Config.merge_from_dict would merge a dict into an existing one.
        reduce(getitem, section.split('.'), cfg)[name] = value


def synthetic_steps(runner: Runner, network: Network, batch_size: int, steps: int) -> Callable[[], None]:
    """A function that trains for some steps on a batch that is already on the device."""
    batch = synthetic_batch(network, batch_size)

    def run_steps() -> None:
        for _ in range(steps):
            # As PerformanceHook does; without CUDA graphs it has no effect.
            torch.compiler.cudagraph_mark_step_begin()
            runner.model.train_step(batch, runner.optim_wrapper)

    return run_steps


def training_rows(
    variants: Dict[str, Variant], blocks: Dict[str, List[float]], data: Data, bounds: Dict[torch.dtype, float]
) -> List[dict]:
    """Figures of each variant, in seconds per step; also measures GPU usage on a GPU.

    Args:
        variants: Variants from :func:`make_variants`.
        blocks: Seconds per block, from :func:`~benchlib.report.alternate`.
        data: The training data, which defines a block.
        bounds: The roofline: lower bounds on the seconds of a step, by precision.
    """
    seconds = {name: [value / data.steps for value in values] for name, values in blocks.items()}
    rows = []
    for name, variant in variants.items():
        row = dict(variant=name, **summarize(seconds[name]), rounds=seconds[name])
        row['images_per_second'] = data.batch_size / row['median']
        row['times_reference'] = speedup(seconds[REFERENCE], seconds[name])
        row['share_of_synthetic'] = speedup(seconds[SYNTHETIC], seconds[name])
        row['share_of_roofline'] = bounds[variant.dtype] / row['median']
        row['paper_schedule_seconds'] = PAPER_IMAGES / row['images_per_second']
        if torch.cuda.is_available():
            variant.prepare()
            row.update(gpu_use(variant.run, variant.own_bytes))
        rows.append(row)
    return rows


def training_table(rows: List[dict]) -> List[List[str]]:
    """A table of :func:`training_rows`."""
    table = [['variant', 'step', 'quartiles', 'images/s', 'x (a)', 'of (b)', 'of (c)', 'paper', 'GPU busy', 'peak GB']]
    for row in rows:
        quartiles = f'{format_seconds(row["lower_quartile"])} - {format_seconds(row["upper_quartile"])}'
        figures = cells(
            row, images_per_second='.4g', times_reference='.2f', share_of_synthetic='.0%', share_of_roofline='.0%'
        )
        minutes = row['paper_schedule_seconds'] / 60
        paper = f'{minutes / 60:.1f} h' if minutes >= 60 else f'{minutes:.1f} min'
        table.append([row['variant'], format_seconds(row['median']), quartiles, *figures, paper, *gpu_cells(row)])
    return table
