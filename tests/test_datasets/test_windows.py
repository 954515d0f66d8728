import numpy as np
import pytest

from imcnn_plugin.datasets import CropToWindow, read_windows, write_windows
from imcnn_plugin.errors import DataError

# Each pixel tells its row and its column.
PHOTO = np.stack([*np.meshgrid(np.arange(30), np.arange(20), indexing='xy'), np.zeros((20, 30), int)], 2).astype(
    np.uint8
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'stage' / 'windows.csv'
    write_windows(path, ['a.jpg', 'b.jpg'], np.array([(4, 6, 14, 10), (-3.25, -2, 5, 40.5)]))
    return path


def test_names_may_have_commas(tmp_path):
    write_windows(tmp_path / 'w.csv', ['a,"b".jpg'], np.array([(4, 6, 14, 10)]))
    assert list(read_windows(tmp_path / 'w.csv')) == ['a,"b".jpg']


def crop(path, **options):
    return CropToWindow(str(path), **options).transform(dict(img=PHOTO, img_path='x/a.jpg'))


def test_windows_are_read_as_they_were_written(file):
    windows = read_windows(file)
    assert list(windows) == ['a.jpg', 'b.jpg']
    np.testing.assert_allclose(windows['b.jpg'], (-3.2, -2, 5, 40.5))
    assert file.read_text().splitlines()[:2] == ['name,left,top,right,bottom', 'a.jpg,4.0,6.0,14.0,10.0']


def test_the_window_is_cut_out(file):
    found = crop(file)
    np.testing.assert_array_equal(found['img'], PHOTO[6:10, 4:14])
    assert found['img_shape'] == found['ori_shape'] == (4, 10) and found['window'].tolist() == [4, 6, 14, 10]


def test_an_enlarged_window_is_moved_down_and_repeats_the_border(file):
    """Center (9, 8), sides 10 and 4; enlarged to 30 x 8 around (9, 10)."""
    found = crop(file, enlarge=(3, 2), shift=0.5)
    assert found['window'].tolist() == [-6, 6, 24, 14]
    x, y = found['img'][..., 0], found['img'][..., 1]
    assert (x == np.arange(-6, 24).clip(0)).all() and (y == np.arange(6, 14)[:, None]).all()


def test_a_window_beside_the_photo_shows_its_border(tmp_path):
    write_windows(tmp_path / 'w.csv', ['a.jpg'], np.array([(50, 30, 54, 33)]))
    found = crop(tmp_path / 'w.csv')['img']
    assert found.shape == (3, 4, 3) and (found == PHOTO[-1, -1]).all()


@pytest.mark.parametrize(
    'text, message',
    [
        ('name,x\na.jpg,1\n', 'has the columns name, x: expected name, left, top, right, bottom'),
        ('name,left,top,right,bottom\na.jpg,1,2,1,9\n', 'line 2: 1,2,1,9 is no window'),
        ('name,left,top,right,bottom\na.jpg,1,2,x,9\n', 'line 2: 1,2,x,9 is no window'),
        ('name,left,top,right,bottom\nb.jpg,1,2,3,9\n', 'has no window for a.jpg'),
        ('name,left,top,right,bottom\na.jpg,1,2,3,9\na.jpg,1,2,3,9\n', "line 3: 'a.jpg' is already listed"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, text, message):
    path = tmp_path / 'w.csv'
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        crop(path)


def test_a_missing_file_says_what_writes_it(tmp_path):
    with pytest.raises(DataError, match='tools/train_lnets_anet.py'):
        crop(tmp_path / 'w.csv')
