"""Builds these pages and the reference of the package as a site: sphinx-build -W docs SITE."""

import re

import imcnn_plugin

project = 'imcnn_plugin'
author = 'The contributors of imcnn_plugin'
version = release = imcnn_plugin.__version__
extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'sphinx.ext.viewcode']
html_theme = 'furo'
html_title = f'imcnn_plugin {version}'
exclude_patterns = ['examples', 'results']
myst_heading_anchors = 3
# Links to files that are no pages, such as configs, which tests/test_docs.py checks; CSV, which has no lexer.
suppress_warnings = ['myst.xref_missing', 'misc.highlighting_failure']
autodoc_member_order = 'groupwise'
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented'
autodoc_default_options = dict(members=True, show_inheritance=True)
napoleon_numpy_docstring = False
napoleon_use_rtype = False


def _skip_inherited(app, what, name, obj, skip, options):
    """Leaves out what a class has from the frameworks, whose docstrings are of another form."""
    module = getattr(obj, '__module__', None)
    return True if module and not module.startswith('imcnn_plugin') else skip


def _link_pages(app, name, source):
    """Links of the README to pages in this folder."""
    source[0] = re.sub(r'\]\(docs/', '](', source[0])


def setup(app):
    app.connect('autodoc-skip-member', _skip_inherited)
    app.connect('source-read', _link_pages)
