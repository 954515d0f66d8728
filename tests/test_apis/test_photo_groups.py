import pytest

from imcnn_plugin.apis import photo_groups
from imcnn_plugin.apis.photo_groups import group_by_person
from imcnn_plugin.errors import DataError

PHOTOS = ['x/1.jpg', 'y/2.jpg', 'x/3.jpg', 'y/../y/4.jpg', '5.jpg']


def test_a_folder_is_a_person():
    assert group_by_person(PHOTOS, 'folder') == {
        'x': ['x/1.jpg', 'x/3.jpg'],
        'y': ['y/2.jpg'],
        'y/../y': ['y/../y/4.jpg'],
        '.': ['5.jpg'],
    }


def test_a_table_has_paths_or_names(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(photo_groups, 'print_log', lambda message, *args: said.append(message))
    (tmp_path / 'a.csv').write_text('person,file\nAnn,x/1.jpg\n"Bo, b",2.jpg\nAnn,./y/4.jpg\nAnn,elsewhere/9.jpg\n')
    assert group_by_person(PHOTOS, str(tmp_path / 'a.csv')) == {
        'Ann': ['x/1.jpg', 'y/../y/4.jpg'],
        'Bo, b': ['y/2.jpg'],
        None: ['x/3.jpg', '5.jpg'],
    }
    assert said == [f'{tmp_path}/a.csv: 1 of 4 rows name none of the photos, such as elsewhere/9.jpg.']


@pytest.mark.parametrize('encoding, mark', [('utf-8-sig', ','), ('utf-8', ';'), ('utf-16', '\t')])
def test_a_table_may_come_from_a_spreadsheet(encoding, mark, tmp_path):
    text = 'file,person,note\r\n5.jpg,Zoë,x\r\n'.replace(',', mark)
    (tmp_path / 'a.csv').write_bytes(text.encode(encoding))
    assert group_by_person(['5.jpg'], str(tmp_path / 'a.csv')) == {'Zoë': ['5.jpg']}


@pytest.mark.parametrize(
    'text, message',
    [
        (b'name,person\n', r'line 1: expected the columns file and person, found \[.name., .person.\]'),
        (b'', 'is empty: expected a header and rows'),
        (b'file,person\n1.jpg,\n', 'line 2: expected a file and a person'),
        (b'file,person\n1.jpg,nan\n', 'line 2: expected a file and a person'),
        (b'file,person\n1.jpg\n', 'line 2: expected 2 fields'),
        (b'file,person\n1.jpg,A\n./1.jpg,B\n', 'line 3: 1.jpg shows B, but A before'),
        (b'file,person\n\xff.jpg,A\n', 'line 2: this is not UTF-8'),
        (None, 'cannot be read'),
    ],
)
def test_an_error_names_the_line(text, message, tmp_path):
    if text is not None:
        (tmp_path / 'a.csv').write_bytes(text)
    with pytest.raises(DataError, match='a.csv.*' + message):
        group_by_person(['1.jpg'], str(tmp_path / 'a.csv'))


def test_a_name_must_be_one_photo(tmp_path):
    (tmp_path / 'a.csv').write_text('file,person\n1.jpg,A\n')
    with pytest.raises(DataError, match='1.jpg may be x/1.jpg or y/1.jpg: write paths'):
        group_by_person(['x/1.jpg', 'y/1.jpg'], str(tmp_path / 'a.csv'))


def test_a_path_goes_before_a_name(tmp_path):
    (tmp_path / 'a.csv').write_text('file,person\n1.jpg,A\nx/1.jpg,B\n')
    assert group_by_person(['x/1.jpg', 'y/1.jpg'], str(tmp_path / 'a.csv')) == {'B': ['x/1.jpg'], 'A': ['y/1.jpg']}


def test_a_table_of_other_photos_is_refused(tmp_path):
    (tmp_path / 'a.csv').write_text('file,person\nphotos/1.jpg,A\n')
    with pytest.raises(DataError, match='a.csv lists none of the photos, such as /else/1.jpg'):
        group_by_person(['/else/1.jpg', '/else/2.jpg'], str(tmp_path / 'a.csv'))
