import inspect
import sys
from pathlib import Path

import pytest
from benchlib import scaling
from benchlib.scaling import Point

from imcnn_plugin.engine import load_config

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'imcnn_celeba.py'


def test_points_differ_from_the_base_in_one_thing_and_come_once():
    base = Point(64, 8192, 1.0, 112)
    points = scaling.make_points([16, 64], [1000, 8192], [1.0, 0.5], base)
    assert points == [base, Point(16, 8192, 1.0, 112), Point(64, 1000, 1.0, 112), Point(64, 8192, 0.5, 112)]


def test_row_says_how_far_from_the_limit():
    point = Point(4, 100, 1 / 32, 32)
    limit = dict(bandwidth=38.0, bfloat16=1e30)
    row = scaling.scaling_row(load_config(CONFIG), point, dict(median=2.0, peak_bytes=3e9), limit)
    # At 38 bytes a weight the limit is a second a weight.
    assert row['share_of_limit'] == pytest.approx(row['weights'] / 2) and row['images_per_second'] == 2
    failed = scaling.scaling_row(load_config(CONFIG), point, dict(error='exit status -9: killed'), limit)
    table = scaling.scaling_table([row, dict(row, images_per_second=1.0), failed])
    assert table[1][:3] == ['4', '100', '0.03125'] and table[1][4:7] == ['2 s', '2', '1.00'] and table[1][8] == '3.00'
    assert table[2][6] == '0.50' and table[3][4:] == ['failed', '-', '-', '-', '-']


def test_a_failure_says_what_the_process_said(tmp_path):
    script = tmp_path / 'script.py'
    script.write_text("import sys\nprint('{}')\nprint('warning', file=sys.stderr)\nsys.exit('too much memory')\n")
    point = Point(4, 100, 1 / 32, 32)
    assert scaling.measure_in_new_process(script, point) == dict(error='exit status 1: too much memory')
    script.write_text("import sys\nprint('noise')\nprint('{\"median\": 1}')\n")
    assert scaling.measure_in_new_process(script, point) == dict(median=1)


@pytest.mark.skipif(sys.platform != 'linux', reason='elsewhere it is ru_maxrss')
def test_peak_of_a_process_is_its_own(tmp_path):
    """A small process that this large one starts has a small peak; another that takes 300 MB has these more."""
    script = tmp_path / 'script.py'
    script.write_text(
        'import json, mmap, sys\nfrom pathlib import Path\n'
        + inspect.getsource(scaling.peak_of_process)
        # Asking for memory is not taking it, and giving it back does not undo the peak.
        + 'asked = mmap.mmap(-1, 10**9)\ntaken = bytearray(int(sys.argv[1]) * 10**8)\ndel taken\n'
        + 'print(json.dumps(peak_of_process()))\n'
    )
    small, large = (scaling.measure_in_new_process(script, Point(1, 1, 1, 1), taken) for taken in '03')
    assert 2.9e8 < large - small < 3.1e8 and small < 5e7 < scaling.peak_of_process()
