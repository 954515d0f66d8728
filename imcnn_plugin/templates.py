"""Renders HTML from Jinja templates and embeds files in it."""

import base64
from pathlib import Path
from typing import Any, Callable, Dict, Union

from jinja2 import Environment, FileSystemLoader, StrictUndefined

__all__ = ['data_uri', 'render_template']


def render_template(path: Union[str, Path], values: Dict[str, Any], filters: Dict[str, Callable] = {}) -> str:
    """Renders a template with all values escaped.

    Args:
        path: The template file, which may include other files from its folder.
        values: Variables by name; a missing one raises ``jinja2.UndefinedError``.
        filters: Functions that the template uses as filters, by name.
    """
    path = Path(path)
    environment = Environment(
        loader=FileSystemLoader(path.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment.get_template(path.name).render(values)


def data_uri(content: bytes, media_type: str) -> str:
    """Encodes file contents as a ``data:`` URI; the media type is, for example, 'image/jpeg' or 'text/csv'."""
    return f'data:{media_type};base64,{base64.b64encode(content).decode()}'
