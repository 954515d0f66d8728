import errno
import fcntl
import os
import stat
from contextlib import ExitStack

import pytest

from imcnn_plugin.errors import ConfigError, DataError
from imcnn_plugin.files import lock, read_csv, read_paths, read_text, replacing, writable, write_text

ENCODINGS = ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-16-be']


def save(path, text, encoding='utf-8'):
    """Writes text with the byte order mark of the encodings of Windows."""
    mark = '\ufeff' if encoding in ('utf-16-le', 'utf-16-be') else ''
    path.write_bytes((mark + text).encode(encoding))
    return path


def test_write_text_is_atomic(tmp_path):
    write_text(tmp_path / 'new' / 'table.md', '90 ± 1\n')
    assert (tmp_path / 'new' / 'table.md').read_text(encoding='utf-8') == '90 ± 1\n'
    # A folder, and a path below a file.
    for path in (tmp_path / 'new', tmp_path / 'new' / 'table.md' / 'x'):
        with pytest.raises(DataError, match=f'{path} cannot be written'):
            write_text(path, '')
    assert [path.name for path in tmp_path.iterdir()] == ['new']


def refuse(monkeypatch, function, number, applies=lambda file: True):
    """Makes a function of the system fail for some files, as it does on shares over a network."""
    module, original = function

    def refusing(file, *arguments):
        if applies(file):
            raise OSError(number, os.strerror(number))
        return original(file, *arguments)

    monkeypatch.setattr(module, original.__name__, refusing)


def test_a_link_stays_one(tmp_path):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'folder' / 'file').write_text('old')
    (tmp_path / 'link').symlink_to('folder/file')
    write_text(tmp_path / 'link', 'new')
    assert (tmp_path / 'link').is_symlink() and (tmp_path / 'folder' / 'file').read_text() == 'new'
    (tmp_path / 'bad').symlink_to('folder/file/no_folder')
    with pytest.raises(DataError, match='cannot be written'):
        writable(tmp_path / 'bad')


@pytest.mark.parametrize('number', [errno.EINVAL, errno.EACCES, errno.EIO])
def test_a_folder_that_cannot_be_flushed_has_its_files(tmp_path, monkeypatch, number):
    refuse(monkeypatch, (os, os.fsync), number, lambda file: stat.S_ISDIR(os.fstat(file).st_mode))
    with ExitStack() as stack:
        for name in ('a.csv', 'b.csv'):
            stack.enter_context(replacing(tmp_path / name)).write_text(name)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {'a.csv': 'a.csv', 'b.csv': 'b.csv'}


@pytest.mark.parametrize('number, written', [(errno.EINVAL, True), (errno.EIO, False)])
def test_a_file_that_cannot_be_flushed_is_an_error_if_its_content_is_lost(tmp_path, monkeypatch, number, written):
    (tmp_path / 'a').write_text('old')
    refuse(monkeypatch, (os, os.fsync), number)
    if written:
        write_text(tmp_path / 'a', 'new')
    else:
        with pytest.raises(DataError, match=f'{tmp_path}/a cannot be written .Input/output error'):
            write_text(tmp_path / 'a', 'new')
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {'a': 'new' if written else 'old'}


def test_a_lock_excludes_others_where_there_are_locks(tmp_path, monkeypatch):
    with open(tmp_path / 'lock', 'w') as one, open(tmp_path / 'lock', 'w') as other:
        lock(one, 'one is busy')
        with pytest.raises(ConfigError, match='^one is busy$'):
            lock(other, 'one is busy')
        refuse(monkeypatch, (fcntl, fcntl.flock), errno.ENOLCK)
        lock(other, 'one is busy')


@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
@pytest.mark.parametrize('encoding', ENCODINGS)
def test_text_of_any_editor_is_the_same(encoding, end, tmp_path):
    path = save(tmp_path / 'text', f'Zoë{end}\tb{end}', encoding)
    assert read_text(path) == 'Zoë\n\tb\n'
    assert read_paths(path) == ['Zoë', '\tb']
    path = save(tmp_path / 'table', f'a;"b, c";d{end}{end}1;"x{end}y";{end}2;;3{end}', encoding)
    assert list(read_csv(path)) == [(1, ['a', 'b, c', 'd']), (3, ['1', 'x\ny', '']), (5, ['2', '', '3'])]


def test_lists_of_paths_may_come_from_find_and_have_any_names(tmp_path):
    (tmp_path / 'list').write_bytes(b'a b.jpg\0\xff.jpg\0two\nlines.jpg\0')
    assert read_paths(tmp_path / 'list') == ['a b.jpg', '\udcff.jpg', 'two\nlines.jpg']
    (tmp_path / 'list').write_bytes(b'\xff.jpg\n\n  \n a.jpg \n')
    assert read_paths(tmp_path / 'list') == ['\udcff.jpg', ' a.jpg ']


@pytest.mark.parametrize(
    'content, line',
    [(b'a\n\xff\n', 2), (b'a\r\nb\r\n\x1b', 3), (b'a\0', 1), (b'\xff\xfea', 1), ('ab\n\0'.encode('utf-16'), 2)],
)
def test_what_is_not_text_is_named_with_its_line(content, line, tmp_path):
    (tmp_path / 'file').write_bytes(content)
    for read in (read_text, lambda path: list(read_csv(path))):
        with pytest.raises(
            DataError, match=f'file, line {line}: this is not UTF-8 text .*: save it as UTF-8'
        ) as error:
            read(tmp_path / 'file')
        assert '\n' not in str(error.value)


def test_a_photo_is_no_list_of_photos(tmp_path):
    (tmp_path / 'photo.png').write_bytes(b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0')
    with pytest.raises(DataError, match='photo.png, line 2: this is not UTF-8 text'):
        read_paths(tmp_path / 'photo.png')
    with pytest.raises(DataError, match=r'none cannot be read \(No such file or directory\): correct its path'):
        read_paths(tmp_path / 'none')
