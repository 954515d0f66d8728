import statistics

import pytest
from benchlib.report import alternate, cell, format_seconds, speedup, summarize


def test_variants_run_in_turn_and_only_they_are_timed():
    """With a clock that each variant advances, by more in each round."""
    now, ran = [0.0], []

    def run(name, seconds):
        ran.append(name)
        now[0] += seconds * (1 + ran.count(name))

    variants = dict(a=lambda: run('a', 1), b=lambda: run('b', 10))
    seconds = alternate(variants, rounds=3, warm_up=2, clock=lambda: now[0])
    assert ran == ['a', 'b'] * 5
    assert seconds == dict(a=[4, 5, 6], b=[40, 50, 60])


def test_median_quartiles_and_least():
    values = [3.0, 1.0, 2.0, 5.0, 4.0, 9.0, 7.0]
    lower, median, upper = statistics.quantiles(values, method='inclusive')
    assert summarize(values) == dict(median=median, lower_quartile=lower, upper_quartile=upper, least=1.0)


def test_ratio_compares_within_rounds():
    """The third round was slow for both, which leaves its ratio unchanged."""
    assert speedup([2.0, 2.2, 20.0], [1.0, 1.1, 10.0]) == pytest.approx(2)
    assert speedup([1.0, 1.0, 1.0], [4.0, 2.0, 1.0]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    'seconds, text',
    [(12.34, '12.3 s'), (1, '1 s'), (0.0456, '45.6 ms'), (0.001, '1 ms'), (1.5e-5, '15 us'), (0, '0 us')],
)
def test_seconds_are_written_with_a_unit(seconds, text):
    assert format_seconds(seconds) == text


def test_what_was_not_measured_is_a_dash():
    assert (cell(None, '.1f'), cell(0.25, '.0%')) == ('-', '25%')
