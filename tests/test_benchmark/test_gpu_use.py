import pytest
from benchlib.gpu_use import covered


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
    assert covered(intervals) == length
