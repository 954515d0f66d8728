import pytest

from imcnn_plugin.errors import DataError
from imcnn_plugin.files import write_text


def test_write_text_is_atomic(tmp_path):
    write_text(tmp_path / 'new' / 'table.md', '90 ± 1\n')
    assert (tmp_path / 'new' / 'table.md').read_text(encoding='utf-8') == '90 ± 1\n'
    # A folder, and a path below a file.
    for path in (tmp_path / 'new', tmp_path / 'new' / 'table.md' / 'x'):
        with pytest.raises(DataError, match=f'{path} cannot be written'):
            write_text(path, '')
    assert [path.name for path in tmp_path.iterdir()] == ['new']
