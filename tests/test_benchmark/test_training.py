"""Variants on a few tiny faces. They must differ in nothing but what their names say."""

import copy
from pathlib import Path

import pytest
import torch
from benchlib import training
from benchlib.faces import synthetic_batch
from benchlib.network import CONFIGS, Network
from benchlib.runners import our_config
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop

from imcnn_plugin.engine import load_config

NETWORK = Network(width=1 / 32, size=32, num_identities=20)
BATCH, STEPS = 8, 2


@pytest.fixture(scope='module')
def variants(faces, packs, tmp_path_factory):
    data = training.Data(faces, packs[NETWORK.size], BATCH, STEPS)
    return training.make_variants(data, NETWORK, tmp_path_factory.mktemp('work'), compiled=False)


def test_variants_match_their_names(variants):
    assert list(variants) == [
        training.REFERENCE, 'ours', '+ channels_last', '+ bf16', '+ fused SGD', training.KEPT, training.SYNTHETIC,
    ]  # fmt: skip
    reference, ours, channels_last, bf16, fused, kept, synthetic = (
        (
            variant.dtype == torch.bfloat16,
            variant.memory_format == torch.channels_last,
            bool(variant.runner.optim_wrapper.optimizer.defaults['fused']),
            type(variant.runner.optim_wrapper).__name__,
            variant.keep_memory,
        )
        for variant in variants.values()
    )
    assert reference == (False, False, False, 'OptimWrapper', False)
    assert ours[:3] == (False, False, False)
    assert channels_last[:3] == (False, True, False)
    assert bf16 == (True, True, False, 'BF16OptimWrapper', False)
    assert fused == (True, True, True, 'BF16OptimWrapper', False)
    assert kept == synthetic == (True, True, True, 'BF16OptimWrapper', True)


def test_all_options_together_equal_the_fast_config():
    cfg = our_config('pack', 1, 1)
    for name, options in training.OPTIONS.items():
        if name != training.ON_GPU:
            training.set_options(cfg, options)
    fast = load_config(CONFIGS / 'imcnn_celeba_fast.py', data_root='pack')
    assert cfg.optim_wrapper == fast.optim_wrapper and cfg.default_hooks.speed == fast.default_hooks.speed
    assert cfg.model == fast.model and cfg.param_scheduler == fast.param_scheduler
    for key in ('collate_fn', 'num_workers', 'sampler', 'pin_memory'):
        assert cfg.train_dataloader[key] == fast.train_dataloader[key]
    assert cfg.train_dataloader.dataset.type == fast.train_dataloader.dataset.type


def test_reference_variant_has_the_stock_loop_and_pipeline(variants):
    runner = variants[training.REFERENCE].runner
    hooks = [type(hook).__name__ for hook in runner.hooks]
    for name in ('RuntimeInfoHook', 'IterTimerHook', 'DistSamplerSeedHook', 'LoggerHook', 'ParamSchedulerHook'):
        assert name in hooks
    assert type(runner.model.data_preprocessor).__name__ == 'ClsDataPreprocessor'
    assert type(runner.train_loop) is EpochBasedTrainLoop and type(runner.optim_wrapper) is OptimWrapper
    batch = next(iter(runner.train_dataloader))
    assert batch['inputs'].shape == (BATCH, 3, 32, 32) and len(batch['data_samples']) == BATCH
    assert not any('Deferred' in name for name in hooks)
    for variant in variants.values():
        assert not any(isinstance(hook, CheckpointHook) for hook in variant.runner.hooks)
    assert any('Deferred' in type(hook).__name__ for hook in variants['ours'].runner.hooks)


def test_synthetic_batch_has_the_form_of_one_of_packed_faces(variants):
    batch = next(iter(variants['ours'].runner.train_dataloader))
    synthetic = synthetic_batch(NETWORK, BATCH)
    pairs = [(batch['inputs'], synthetic['inputs'])]
    pairs += [
        (batch['data_samples'].get(key), synthetic['data_samples'].get(key)) for key in ('gt_score', 'gt_identity')
    ]
    for real, made in pairs:
        assert (real.shape, real.dtype, real.stride()) == (made.shape, made.dtype, made.stride())


def test_each_variant_trains_the_weights_that_all_of_ours_share(variants):
    ours = [variant for name, variant in variants.items() if name != training.REFERENCE]
    assert len({id(variant.runner.optim_wrapper.optimizer.state) for variant in ours}) == 1
    for name, variant in variants.items():
        models = [variant.runner.model, *(other.runner.model for other in ours if name != training.REFERENCE)]
        variant.prepare()
        before = copy.deepcopy(variant.runner.model.state_dict())
        steps = variant.runner.iter
        variant.run()
        assert variant.runner.iter - steps == (0 if name == training.SYNTHETIC else STEPS)
        for model in models:
            for key, parameter in model.named_parameters():
                assert not torch.equal(parameter, before[key]), (name, key)
        weight = max(variant.runner.model.parameters(), key=lambda parameter: parameter.dim() * parameter.numel())
        kernels = [p for p in variant.runner.model.parameters() if p.dim() == 4 and p.size(1) > 1 and p.size(2) > 1]
        momentum = variant.runner.optim_wrapper.optimizer.state
        assert kernels and weight in momentum
        for kernel in kernels:
            assert kernel.is_contiguous(memory_format=variant.memory_format)
            assert momentum[kernel]['momentum_buffer'].stride() == kernel.stride()


def test_rows_and_table_of_given_times():
    data = training.Data(Path(), Path(), batch_size=100, steps=2)
    variants = {
        training.REFERENCE: training.Variant(None, None),
        'ours': training.Variant(None, None, torch.bfloat16),
        training.SYNTHETIC: training.Variant(None, None, torch.bfloat16),
    }
    blocks = {training.REFERENCE: [4.0, 8.0, 6.0], 'ours': [2.0, 4.0, 2.0], training.SYNTHETIC: [1.0, 3.0, 2.0]}
    bounds = {torch.float32: 1.5, torch.bfloat16: 0.25}
    rows = training.training_rows(variants, blocks, data, bounds)
    reference, ours, _ = rows
    assert reference['median'] == 3 and reference['share_of_roofline'] == 0.5 and reference['times_reference'] == 1
    assert ours['median'] == 1 and ours['images_per_second'] == 100 and ours['share_of_roofline'] == 0.25
    # Of the rounds: 2, 2, 3 times (a) and 1/2, 3/4, 1 of (b).
    assert ours['times_reference'] == 2 and ours['share_of_synthetic'] == 0.75
    assert ours['paper_schedule_seconds'] == 54000
    table = training.training_table(rows)
    assert table[2] == ['ours', '1 s', '1 s - 1.5 s', '100', '2.00', '75%', '25%', '15.0 h', '-', '-']
