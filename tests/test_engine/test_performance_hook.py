from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import Runner
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import HOOKS, MODELS
from torch import nn

from imcnn_plugin.engine import build_runner, train_and_test
from imcnn_plugin.errors import ConfigError

HEAD = dict(
    type='GroupedMultiLabelHead',
    classes=['a', 'b', 'c'],
    groups=[dict(name='first', labels=['a', 'b']), dict(name='second', labels=['c'])],
    in_channels=96,
)
JOINT = dict(
    type='JointHead',
    attr_head=HEAD,
    id_head=dict(type='IdentityHead', num_identities=4, in_channels=96, embedding_dims=2),
)


def build(head):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            data_preprocessor=dict(type='FacePreprocessor'),
            backbone=dict(type='IMCNN', width=1 / 32),
            head=head,
        )
    )


def run_hook(model, **kwargs):
    hook = HOOKS.build(dict(type='mmpretrain.ModelSpeedHook', **kwargs))
    hook.before_run(SimpleNamespace(model=model, logger=MMLogger.get_instance('test')))
    return model


def is_channels_last(model):
    return [
        module.weight.is_contiguous(memory_format=torch.channels_last)
        for module in model.modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size != (1, 1)
    ]


def test_does_nothing_unless_asked():
    model = run_hook(build(JOINT))
    assert not any(is_channels_last(model))
    assert all(module._compiled_call_impl is None for module in model.modules())


def test_channels_last_changes_the_layout_and_not_the_weights():
    plain, model = build(JOINT), run_hook(build(JOINT), channels_last=True)
    assert all(is_channels_last(model))
    for name, value in plain.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(model(x), plain(x))
    assert model.backbone(x)[-1].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    'head, parts', [(JOINT, ['backbone', 'head.attr_head', 'head.id_head']), (HEAD, ['backbone', 'head'])]
)
def test_compiles_the_backbone_and_the_heads(head, parts):
    model = run_hook(build(head), compile=dict(backend='eager'))
    compiled = [name for name, module in model.named_modules() if module._compiled_call_impl is not None]
    assert compiled == parts
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(model.head(model.backbone(x)), build(head).head(build(head).backbone(x)))
    # A checkpoint is that of a model that is not compiled.
    assert model.state_dict().keys() == build(head).state_dict().keys()


def test_looks_inside_a_distributed_wrapper(tmp_path):
    torch.distributed.init_process_group('gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    try:
        model = MMDistributedDataParallel(build(JOINT), device_ids=None)
        run_hook(model, channels_last=True)
        assert isinstance(model.module, ImageClassifier)
        assert all(is_channels_last(model))
        # A training with a test at its end runs twice.
        hook = HOOKS.build(dict(type='mmpretrain.ModelSpeedHook', bf16_all_reduce=True, compile=dict(backend='eager')))
        runner = SimpleNamespace(model=model, logger=MMLogger.get_instance('test'))
        hook.before_run(runner)
        hook.before_train(runner)
        compiled = model.module.backbone._compiled_call_impl
        hook.before_run(runner)
        assert model.module.backbone._compiled_call_impl is compiled and len(model._comm_hooks) == 1
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize('compile', [False, dict(backend='eager')])
def test_a_compiled_step_begins_with_a_mark(small_cfg, monkeypatch, compile):
    marked = []
    monkeypatch.setattr(torch.compiler, 'cudagraph_mark_step_begin', lambda: marked.append(1))
    small_cfg.default_hooks.speed.compile = compile
    small_cfg.train_cfg.max_epochs = 1
    runner = build_runner(small_cfg)
    train_and_test(runner)
    batches = sum(len(loader) for loader in (runner.train_dataloader, runner.val_dataloader, runner.test_dataloader))
    assert len(marked) == (batches if compile else 0)


def test_cuda_graphs_do_not_accumulate_gradients(small_cfg):
    small_cfg.default_hooks.speed.compile = dict(mode='reduce-overhead')
    small_cfg.optim_wrapper.accumulative_counts = 2
    with pytest.raises(ConfigError, match='accumulative_counts is 2: CUDA graphs reuse the memory of the gradients'):
        build_runner(small_cfg).train()
    # Without graphs it works as without compilation.
    small_cfg.default_hooks.speed.compile = dict(backend='eager')
    small_cfg.train_cfg.max_epochs = 1
    build_runner(small_cfg).train()


def test_the_layout_is_final_before_processes_share_gradients(small_cfg, monkeypatch):
    small_cfg.default_hooks.speed.channels_last = True
    wrapped = []
    wrap = Runner.wrap_model

    def record(runner, options, model):
        wrapped.append(all(is_channels_last(model)))
        return wrap(runner, options, model)

    monkeypatch.setattr(Runner, 'wrap_model', record)
    build_runner(small_cfg)
    assert wrapped == [True]
