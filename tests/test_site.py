"""The site of the docs: it is built without a warning, and every room has its page."""

import subprocess
import sys
from pathlib import Path

import pytest
from test_layers import PACKAGE

pytest.importorskip('sphinx')
DOCS = Path(__file__).resolve().parents[1] / 'docs'


def test_every_page_is_in_the_contents():
    contents = (DOCS / 'index.md').read_text().split()
    assert [path.stem for path in DOCS.glob('*.md') if path.stem not in {*contents, 'index'}] == []
    rooms = {path.name for path in PACKAGE.iterdir() if (path / '__init__.py').is_file()}
    assert {path.stem for path in (DOCS / 'api').glob('*.md')} == rooms


def test_it_is_built_without_a_warning(tmp_path):
    command = [sys.executable, '-W', 'ignore', '-m', 'sphinx', '-q', '-W', '--keep-going', DOCS, tmp_path]
    process = subprocess.run([*map(str, command), '-d', str(tmp_path / 'trees')], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    page = (tmp_path / 'api' / 'models.html').read_text()
    for text in ('GroupedMultiLabelHead', 'hidden_dims', 'Raises'):
        assert text in page
    assert ':class:' not in page and ':func:' not in page
