from pathlib import Path
from typing import Union

from ..errors import DataError
from ..files import replacing

# Blue, orange, green, purple, sky blue, vermilion, black: Okabe & Ito's palette, which colour-blind eyes tell apart,
# less the yellow that white paper swallows.
COLOURS = ('#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#000000')
RIGHT, WRONG, UNKNOWN = COLOURS[0], COLOURS[5], '#8C959F'


def save_figure(figure, path: Union[str, Path], dpi: int = 150) -> None:
    """Writes a ``matplotlib.figure.Figure`` at once or not at all; the folder is made.

    Args:
        path: Its ending is the format, such as .png, .pdf or .svg.
        dpi: Pixels an inch, where the format has pixels.

    Raises:
        DataError: There is no such format, or the file cannot be written.
    """
    path = Path(path)
    kind, kinds = path.suffix[1:].lower(), figure.canvas.get_supported_filetypes()
    if kind not in kinds:
        raise DataError(f"{path}: a picture's name ends in one of {', '.join(sorted(kinds))}")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=dpi, format=kind)
