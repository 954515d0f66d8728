import jinja2
import pytest

from imcnn_plugin.templates import data_uri, render_template


def test_values_are_escaped_but_included_files_are_not(tmp_path):
    (tmp_path / 'style.css').write_text('a > b { }')
    (tmp_path / 'page.html').write_text("<style>{% include 'style.css' %}</style>{{ name|twice }}")
    page = render_template(tmp_path / 'page.html', dict(name='<b>'), dict(twice=lambda text: 2 * text))
    assert page == '<style>a > b { }</style>&lt;b&gt;&lt;b&gt;'
    with pytest.raises(jinja2.UndefinedError, match='name'):
        render_template(tmp_path / 'page.html', {}, dict(twice=str))


def test_data_uri():
    assert data_uri(b'abc', 'image/png') == 'data:image/png;base64,YWJj'
