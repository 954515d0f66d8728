import io

import pytest
from rich.console import Console

from imcnn_plugin import progress
from imcnn_plugin.progress import format_duration, progress_bar, track


class Clock:
    """Time that passes only when told."""

    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(progress, 'time', clock := Clock())
    return clock


def test_a_log_gets_a_line_with_an_estimate_now_and_then(clock, capsys):
    with progress_bar('Reading', 100, completed=40) as advance:
        for _ in range(50):
            clock.now += 4
            advance()
    out, err = capsys.readouterr()
    # The finished 40 do not count as fast: after 12 s, 3 of 60 are done.
    assert err.splitlines()[0] == 'Reading: 43 of 100, about 4 min left'
    assert len(err.splitlines()) == 3 and not out


def test_a_log_says_how_many_are_finished_in_a_second(clock, capsys):
    with progress_bar('Photos', 1000, completed=400, unit='photos') as advance:
        clock.now += 20
        advance(50)
    assert capsys.readouterr().err == 'Photos: 450 of 1000, 2.5 photos/s, about 4 min left\n'


def test_short_work_leaves_no_trace_in_a_log(clock, capsys):
    assert list(track([1, 2, 3], 'Reading')) == [1, 2, 3]
    assert list(track(iter('ab'), 'Reading', total=2)) == ['a', 'b']
    assert capsys.readouterr() == ('', '')


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch, capsys):
    screen = io.StringIO()
    monkeypatch.setattr(progress, 'Console', lambda **_: Console(file=screen, force_terminal=True, width=80))
    with progress_bar('Reading', 3, unit='rows') as advance:
        advance(3)
    assert 'Reading' in screen.getvalue() and '3/3' in screen.getvalue() and ' rows/s' in screen.getvalue()
    assert screen.getvalue().endswith('\x1b[1A\x1b[2K')


def test_durations_have_a_readable_unit():
    assert [format_duration(seconds) for seconds in (0, 89, 90, 5399, 5400, 90000)] == [
        '0 s', '89 s', '2 min', '1 h 30 min', '1 h 30 min', '25 h 00 min',
    ]  # fmt: skip
