import pytest
import torch
from benchlib import roofline
from benchlib.network import Network

# Table 2 of the paper: side of the output, inputs and outputs of each convolution; the six ConvAttr as one.
CONVOLUTIONS = [(112, 3, 64), (56, 64, 64), (56, 64, 192), (28, 192, 192), (28, 192, 384), (7, 384, 6 * 512)]


def test_flops_of_the_paper_s_network():
    """Two for each multiplication of Table 2; the backward pass has twice as many, but no gradient of the image."""
    model = Network().build('meta')
    convolutions = [2 * 9 * side**2 * inputs * outputs for side, inputs, outputs in CONVOLUTIONS]
    attributes = 2 * (9 * (7 * 7 * 512 * 1024 + 1024 * 1024) + 40 * 1024)
    identities = 2 * (7 * 7 * 3072 * 512 + 512 * 8192)
    assert roofline.count_flops(model, 112, training=False) == sum(convolutions) + attributes
    expected = 3 * (sum(convolutions) + attributes + identities) - convolutions[0]
    assert roofline.count_flops(model, 112) == expected


def test_bound_is_traffic_plus_products():
    machine = dict(bandwidth=100.0, float32=1000.0, bfloat16=4000.0)
    # A weight is read twice in float32, its gradient written, and SGD reads three numbers and writes two.
    assert roofline.step_bound(machine, torch.float32, 50, 3000) == pytest.approx(50 * 8 * 4 / 100 + 3)
    # In bfloat16: read and cast, 6; twice read and the gradient written, 6; that cast, 6; SGD.
    assert roofline.step_bound(machine, torch.bfloat16, 50, 3000) == pytest.approx(50 * (18 + 20) / 100 + 0.75)
    assert roofline.inference_bound(machine, torch.float32, 50, 500) == pytest.approx(2 + 0.5)
    assert roofline.inference_bound(machine, torch.bfloat16, 50, 2000) == pytest.approx(1 + 0.5)


def test_the_better_of_two_measurements_counts():
    assert roofline.better_of(dict(a=1, b=5), dict(a=2, b=4)) == dict(a=2, b=5)


def test_rates_are_of_what_was_done(monkeypatch):
    """If everything takes a second, the rates are the bytes and the FLOP."""
    monkeypatch.setattr(roofline, '_fastest', lambda run, **clock: run() is None or 1.0)
    cpu = torch.device('cpu')
    # A triad of float32 moves three numbers.
    assert roofline.measure_bandwidth(cpu, 1000) == 12000
    assert roofline._measure_peak(cpu, torch.bfloat16, [8, 16, 4]) == 2 * 16**3


def test_the_first_run_does_not_count():
    ran = []
    roofline._fastest(lambda: ran.append(1), repeats=4)
    assert len(ran) == 5


@pytest.mark.parametrize(
    'intervals, length',
    [
        ([], 0),
        ([(2, 5)], 3),
        ([(4, 6), (0, 1), (9, 9)], 3),
        # One inside another, one that begins in another, one that begins where another ends.
        ([(0, 10), (2, 3), (8, 12), (12, 13)], 13),
        ([(-5, -1), (-2, 1)], 6),
    ],
)
def test_overlapping_kernels_count_once(intervals, length):
    assert roofline._union_length(intervals) == length
