import copy

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmpretrain.registry import OPTIM_WRAPPERS
from torch import nn


def build(model, kind='LeanOptimWrapper', fused=False, **kwargs):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01, fused=fused)
    if kind == 'OptimWrapper':
        return OptimWrapper(optimizer, **kwargs)
    return OPTIM_WRAPPERS.build(dict(type=f'mmpretrain.{kind}', optimizer=optimizer, **kwargs))


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3))


def step(wrapper, model, seed, scale=1):
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    wrapper.update_params((scale * model(x)).pow(2).mean())


@pytest.mark.parametrize('kind', ['LeanOptimWrapper', 'BF16OptimWrapper'])
def test_clips_as_the_stock_wrapper_does_and_keeps_the_norm(kind):
    models = [network(), network()]
    wrappers = [build(model, k, clip_grad=dict(max_norm=1)) for model, k in zip(models, (kind, 'OptimWrapper'))]
    norms = []
    for seed in range(3):
        for model, wrapper in zip(models, wrappers):
            step(wrapper, model, seed, scale=10)
        norms.append(wrappers[1].message_hub.get_scalar('train/grad_norm').current())
        assert wrappers[0].grad_norm.item() == pytest.approx(norms[-1])
    assert min(norms) > 1
    for mine, stock in zip(*(model.parameters() for model in models)):
        assert torch.equal(mine, stock)


def test_without_clipping_there_is_no_norm():
    model = network()
    wrapper = build(model)
    step(wrapper, model, 0)
    assert wrapper.grad_norm is None


@pytest.mark.parametrize('begun, goes_on', [('contiguous', 'channels_last'), ('channels_last', 'contiguous')])
def test_a_fused_run_goes_on_in_another_layout(begun, goes_on):
    """Fused SGD reads weights and momentum in memory order, so that a momentum of another layout is scrambled."""
    formats = dict(contiguous=torch.contiguous_format, channels_last=torch.channels_last)
    first = network().to(memory_format=formats[begun])
    wrapper = build(first, fused=True)
    step(wrapper, first, 0)
    state = copy.deepcopy((first.state_dict(), wrapper.state_dict()))

    second = network().to(memory_format=formats[goes_on])
    resumed = build(second, fused=True)
    second.load_state_dict(state[0])
    resumed.load_state_dict(state[1])
    step(wrapper, first, 1)
    step(resumed, second, 1)
    for expected, found in zip(first.parameters(), second.parameters()):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('options, moved', [({}, True), (dict(capturable=True), False)])
def test_step_counts_are_not_kept_on_a_gpu(monkeypatch, options, moved):
    parameter = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([parameter])
    parameter.grad = torch.ones(3)
    optimizer.step()
    state = copy.deepcopy(optimizer.state_dict())
    state['param_groups'][0].update(options)
    wrapper = OPTIM_WRAPPERS.build(dict(type='mmpretrain.NonBlockingOptimWrapper', optimizer=optimizer))
    # There is no GPU: what counts is who is asked to move.
    asked, cpu = [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, 'cpu', lambda tensor: asked.append(tensor.shape) or cpu(tensor))
    wrapper.load_state_dict(state)
    assert asked == [torch.Size([])] * moved
