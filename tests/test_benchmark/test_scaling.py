import inspect
import sys

import pytest
from benchlib import scaling
from benchlib.scaling import Point


def test_points_differ_from_the_base_in_one_value_and_are_unique():
    base = Point(64, 8192, 1.0, 112)
    points = scaling.make_points([16, 64], [1000, 8192], [1.0, 0.5], base)
    assert points == [base, Point(16, 8192, 1.0, 112), Point(64, 1000, 1.0, 112), Point(64, 8192, 0.5, 112)]


def test_row_has_the_share_of_the_roofline():
    point = Point(4, 100, 1 / 32, 32)
    roofline = dict(bandwidth=38.0, bfloat16=1e30)
    row = scaling.scaling_row(point, dict(median=2.0, peak_bytes=3e9), roofline)
    # At 38 bytes per weight, the roofline is one second per weight.
    assert row['share_of_roofline'] == pytest.approx(row['weights'] / 2) and row['images_per_second'] == 2
    failed = scaling.scaling_row(point, dict(error='exit status -9: killed'), roofline)
    table = scaling.scaling_table([row, dict(row, images_per_second=1.0), failed])
    assert table[1][:3] == ['4', '100', '0.03125'] and table[1][4:7] == ['2 s', '2', '1.00'] and table[1][8] == '3.00'
    assert table[2][6] == '0.50' and table[3][4:] == ['failed', '-', '-', '-', '-']


def test_an_error_is_the_last_message_of_the_process(tmp_path):
    script = tmp_path / 'script.py'
    script.write_text("import sys\nprint('{}')\nprint('warning', file=sys.stderr)\nsys.exit('too much memory')\n")
    point = Point(4, 100, 1 / 32, 32)
    assert scaling.measure_in_new_process(script, point) == dict(error='exit status 1: too much memory')
    script.write_text("import sys\nprint('noise')\nprint('{\"median\": 1}')\n")
    assert scaling.measure_in_new_process(script, point) == dict(median=1)


@pytest.mark.skipif(sys.platform != 'linux', reason='elsewhere ru_maxrss is used')
def test_peak_of_a_process_is_its_own(tmp_path):
    """A child of this large process has a small peak; one that takes 300 MB has a peak 300 MB higher."""
    script = tmp_path / 'script.py'
    script.write_text(
        'import json, mmap, sys\nfrom pathlib import Path\n'
        + inspect.getsource(scaling._peak_of_process)
        # Reserved memory does not count, and freed memory stays in the peak.
        + 'asked = mmap.mmap(-1, 10**9)\ntaken = bytearray(int(sys.argv[1]) * 10**8)\ndel taken\n'
        + 'print(json.dumps(_peak_of_process()))\n'
    )
    small, large = (scaling.measure_in_new_process(script, Point(1, 1, 1, 1), taken) for taken in '03')
    assert 2.9e8 < large - small < 3.1e8 and small < 5e7 < scaling._peak_of_process()
