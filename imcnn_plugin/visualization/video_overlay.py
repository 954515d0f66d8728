from typing import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .face_overlay import FONT_SIZE, LINE, MAX_SIDE, MIN_SIDE, _draw_box

MARGIN = 4


def draw_people(image: np.ndarray, people: Sequence[dict]) -> np.ndarray:
    """Draws numbered boxes on a frame of a video, with lines of text at each.

    Args:
        image: uint8 BGR ``(H, W, 3)``.
        people: Dicts of ``number``, ``box`` (left, top, right, bottom in pixels) and ``lines``, texts.

    Returns:
        uint8 BGR, resized to even sides, of which the longer one has 640 to 1,280 pixels: equal frames for equal ones.
    """
    longer = max(image.shape[:2])
    scale = np.clip(longer, MIN_SIDE, MAX_SIDE) / longer
    # Videos store the color of 2 x 2 pixels at once.
    size = [max(2, 2 * round(side * scale / 2)) for side in image.shape[1::-1]]
    frame = Image.fromarray(np.ascontiguousarray(image[..., ::-1])).resize(size, Image.Resampling.BILINEAR)
    font = ImageFont.load_default(FONT_SIZE)
    for person in people:
        _draw_lines(frame, [scale * side for side in person['box']], person['lines'], font)
    for person in people:
        _draw_box(frame, person['number'], [scale * side for side in person['box']], font)
    return np.ascontiguousarray(np.asarray(frame)[..., ::-1])


def _draw_lines(frame: Image.Image, box: Sequence[float], lines: Sequence[str], font: ImageFont.FreeTypeFont) -> None:
    """White text on black that lets the picture through, below a box, or beside it if there is no space."""
    if not lines:
        return
    width = 2 * MARGIN + int(max(map(font.getlength, lines)))
    height = 2 * MARGIN + LINE * len(lines)
    left, top, right, bottom = map(round, box)
    x, y = left, bottom + 2
    if y + height > frame.height:
        x, y = (right + 4 if right + 4 + width <= frame.width else left - width - 4), top
    x, y = max(0, min(x, frame.width - width)), max(0, min(y, frame.height - height))
    panel = frame.crop((x, y, x + width, y + height))
    frame.paste(Image.blend(panel, Image.new('RGB', panel.size), 0.7), (x, y))
    draw = ImageDraw.Draw(frame)
    for row, line in enumerate(lines):
        draw.text((x + MARGIN, y + MARGIN + LINE * row), line, fill='white', font=font)
