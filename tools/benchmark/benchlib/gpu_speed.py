"""Measures training and prediction on a GPU at several batch sizes, and the cost of checkpoints and validation."""

import time
from pathlib import Path
from typing import Dict, Iterator, List, Sequence, Tuple

import torch
from mmengine.runner import Runner
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from .inference import agreement, inference_rows, make_calls, make_predictors
from .network import Network, count_weights, share_weights
from .report import alternate, summarize, synchronize, the_device
from .roofline import STEP_BYTES, count_flops, gpu_use, inference_bound, step_bound
from .runners import our_config, start_runner, stock_config
from .training import (
    COMPILED,
    GRAPHS,
    OPTIONS,
    PAPER_IMAGES,
    Variant,
    set_options,
    synthetic_steps,
    unavailable,
)

STOCK = 'stock mmpretrain, JPEG files'
_WORKERS = 8


class TrainingSpeed:
    """Measures the training of one network, variant by variant, at any batch size.

    Args:
        network: Size of the network.
        packed: Packed faces.
        files: The same faces as files.
        images: Number of images per epoch.
        work_dir: Folder for logs.
        roofline: Result of :func:`~benchlib.roofline.measure_roofline`.
    """

    def __init__(
        self, network: Network, packed: Path, files: Path, images: int, work_dir: Path, roofline: Dict[str, float]
    ):
        self.network, self.packed, self.files, self.images = network, packed, files, images
        self.work_dir, self.roofline = work_dir, roofline
        self.model = network.build().to(the_device())
        self.state = None
        meta = network.build('meta')
        self.weights, self.flops = count_weights(meta), count_flops(meta, network.size)

    def measure(self, name: str, batch_size: int, rounds: int, synthetic: bool = True, kernels: bool = False) -> dict:
        """Seconds per step and derived figures.

        Args:
            name: A key of ``OPTIONS``; includes the options of all previous keys.
            batch_size: Images per step.
            rounds: Number of timed epochs, after one warm-up epoch.
            synthetic: Also time the same step on a batch that is already on the device.
            kernels: Also list the kernels that take the most time.
        """
        steps = max(1, self.images // batch_size)
        cfg = self.network.resize(our_config(self.packed, steps * batch_size, batch_size))
        for option, values in OPTIONS.items():
            if option not in unavailable():
                set_options(cfg, values)
            if option == name:
                break
        if not torch.cuda.is_available() and cfg.default_hooks.speed.get('compile'):
            # Without a GPU, this only checks that it runs.
            cfg.default_hooks.speed.compile = dict(backend='eager')
        runner = start_runner(cfg, share_weights(self.model), self.work_dir, f'{name}_{batch_size}'.replace(' ', '_'))
        optimizer = runner.optim_wrapper.optimizer
        self.state = optimizer.state = optimizer.state if self.state is None else self.state
        variant = Variant.of(runner, runner.train_loop.run_epoch)
        variant.prepare()
        row = self._row(alternate({name: variant.run}, rounds)[name], steps, batch_size)
        row['share_of_roofline'] = self.step_bound(variant.dtype, batch_size) / row['median']
        if synthetic:
            run_steps = synthetic_steps(runner, self.network, batch_size, steps)
            blocks = alternate({'synthetic': run_steps}, max(1, rounds - 2))['synthetic']
            row['synthetic'] = summarize(blocks)['median'] / steps
            row['share_of_synthetic'] = row['synthetic'] / row['median']
        if torch.cuda.is_available():
            row.update(gpu_use(variant.run, variant.own_bytes))
            if kernels:
                row['kernels'] = _longest_kernels(variant.run, steps)
        return row

    def measure_stock(self, batch_size: int, rounds: int) -> dict:
        """Like :meth:`measure`, for mmpretrain's loop with files and the reference network in float32."""
        steps = max(1, self.images // batch_size)
        workers = _WORKERS if torch.cuda.is_available() else 0
        cfg = stock_config(self.files, self.network.size, steps * batch_size, batch_size, workers)
        # Keep a reference, since garbage collection would wait five seconds for each worker.
        self.stock = start_runner(cfg, self.network.build_reference(), self.work_dir, f'stock_{batch_size}')
        row = self._row(alternate({STOCK: self.stock.train_loop.run_epoch}, rounds)[STOCK], steps, batch_size)
        row['share_of_roofline'] = self.step_bound(torch.float32, batch_size) / row['median']
        return row

    def _row(self, blocks: List[float], steps: int, batch_size: int) -> dict:
        row = summarize([seconds / steps for seconds in blocks])
        row['images_per_second'] = batch_size / row['median']
        row['paper_minutes'] = PAPER_IMAGES / row['images_per_second'] / 60
        return row

    def step_bound(self, dtype: torch.dtype, batch_size: int) -> float:
        """The lower bound of a step in seconds."""
        return step_bound(self.roofline, dtype, self.weights, self.flops * batch_size)

    def runner(self, batch_size: int) -> Runner:
        """A runner with every option except compilation, after one epoch."""
        cfg = self.network.resize(our_config(self.packed, batch_size, batch_size))
        for option in ('+ channels_last', '+ bf16', '+ fused SGD'):
            set_options(cfg, OPTIONS[option])
        runner = start_runner(cfg, share_weights(self.model), self.work_dir, 'checkpoint')
        runner.train_loop.run_epoch()
        return runner


def _longest_kernels(run, steps: int, number: int = 14) -> Dict[str, float]:
    """Milliseconds per step of the kernels that take the most time."""
    synchronize()
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as profiler:
        run()
        synchronize()
    seconds: Dict[str, float] = {}
    for event in profiler.events():
        if event.device_type == DeviceType.CUDA and not event.is_user_annotation:
            seconds[event.name] = seconds.get(event.name, 0) + event.time_range.elapsed_us() / 1e3 / steps
    longest = sorted(seconds.items(), key=lambda item: -item[1])
    rest = sum(milliseconds for _, milliseconds in longest[number:])
    return {name[:90]: round(milliseconds, 3) for name, milliseconds in [*longest[:number], ('all others', rest)]}


def measure_epoch_end(speed: TrainingSpeed, batch_size: int, folder: Path) -> dict:
    """Seconds to write a checkpoint, and images/s of validation in float32 and bfloat16."""
    runner = speed.runner(batch_size)
    synchronize()
    start = time.perf_counter()
    runner.save_checkpoint(str(folder), 'epoch.pth', backend_args=dict(backend='atomic'))
    row = dict(checkpoint=time.perf_counter() - start, gigabytes=(folder / 'epoch.pth').stat().st_size / 1e9)
    batch = next(iter(runner.train_dataloader))
    runner.model.eval()
    for name, enabled in (('float32', False), ('bfloat16', True)):

        @torch.no_grad()
        def validate(enabled: bool = enabled) -> None:
            with torch.autocast(the_device().type, torch.bfloat16, enabled=enabled):
                runner.model.test_step(dict(batch, data_samples=batch['data_samples'].clone()))

        row[f'validation_{name}'] = batch_size / summarize(alternate({name: validate}, 5)[name])['median']
    return row


def measure_predictions(
    network: Network, images: torch.Tensor, roofline: Dict[str, float], compiled: bool, rounds: int, calls: int
) -> Iterator[Tuple[str, dict]]:
    """Measures predictors on one image and on a batch at a time.

    Args:
        network: Size of the network, without identities.
        images: uint8 ``(N, 3, H, W)`` on the device.
        roofline: Result of :func:`~benchlib.roofline.measure_roofline`.
        compiled: Include a compiled predictor.
        rounds: Number of timed rounds.
        calls: Calls per round.
    """
    predictors = make_predictors(network, images, compiled)
    agreements = agreement(predictors, images)
    model = network.build('meta')
    weights, flops = count_weights(model), count_flops(model, network.size, training=False)
    for batch_size in (1, len(images)):
        runs = make_calls(predictors, images[:batch_size], calls)
        seconds = {name: [value / calls for value in values] for name, values in alternate(runs, rounds).items()}
        bounds = {dtype: inference_bound(roofline, dtype, weights, flops * batch_size) for dtype in STEP_BYTES}
        for row in inference_rows(predictors, runs, seconds, batch_size, bounds):
            name = row.pop('predictor')
            yield f'{name}, batch {batch_size}', {**row, **agreements[name]}


def plan_training(batch_sizes: Sequence[int]) -> List[Tuple[str, int]]:
    """The variants to time at each batch size: all at the first one, the fastest at the others."""
    first, *others = batch_sizes
    ours = [name for name in OPTIONS if name not in unavailable()]
    eager, fastest = [name for name in ours if name not in (COMPILED, GRAPHS)], ours[-1]
    return [(name, first) for name in [*eager, *reversed(ours[len(eager) :])]] + [(fastest, size) for size in others]
