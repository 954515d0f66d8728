from typing import Sequence, Tuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .face_overlay import FONT_SIZE, LINE, MAX_SIDE, MIN_SIDE, _draw_box, face_color

MARGIN = 4


def draw_people(image: np.ndarray, people: Sequence[dict]) -> np.ndarray:
    """Draws numbered boxes on a frame of a video, with lines of text at each.

    Args:
        image: uint8 BGR ``(H, W, 3)``.
        people: Dicts of ``number``, ``box`` (left, top, right, bottom in pixels) and ``lines``, texts.

    Returns:
        uint8 BGR, resized to even sides, the longer one of 640 to 1,280 pixels. Frames of equal size give equal sizes.
    """
    longer = max(image.shape[:2])
    scale = np.clip(longer, MIN_SIDE, MAX_SIDE) / longer
    # Videos store one color for 2 x 2 pixels.
    size = [max(2, 2 * round(side * scale / 2)) for side in image.shape[1::-1]]
    frame = Image.fromarray(np.ascontiguousarray(image[..., ::-1])).resize(size, Image.Resampling.BILINEAR)
    font = ImageFont.load_default(FONT_SIZE)
    boxes = [[scale * side for side in person['box']] for person in people]
    taken = [tuple(box) for box in boxes]
    for person, box in zip(people, boxes):
        if person['lines']:
            taken.append(_draw_lines(frame, person['number'], box, person['lines'], taken, font))
    for person, box in zip(people, boxes):
        _draw_box(frame, person['number'], box, font)
    return np.ascontiguousarray(np.asarray(frame)[..., ::-1])


def _draw_lines(
    frame: Image.Image,
    number: int,
    box: Sequence[float],
    lines: Sequence[str],
    taken: Sequence[Tuple[float, ...]],
    font: ImageFont.FreeTypeFont,
) -> Tuple[float, ...]:
    """Draws white text on translucent black, framed in the color of its box; returns the rectangle of the text.

    The text is below the box or on another side, with fewer lines if necessary, where it covers none of the occupied
    rectangles, or as little of them as possible.
    """
    width = 2 * MARGIN + int(max(map(font.getlength, lines)))
    left, top, right, bottom = map(round, box)
    places = []
    for rows in range(len(lines), 0, -1):
        height = 2 * MARGIN + LINE * rows
        # The number of the face is above its box.
        for x, y in ((left, bottom + 3), (right + 4, top), (left - width - 4, top), (left, top - LINE - height)):
            x, y = max(0, min(x, frame.width - width)), max(0, min(y, frame.height - height))
            places.append((x, y, x + width, y + height))
    rectangle = min(places, key=lambda place: sum(_shared_area(place, other) for other in taken))
    panel = frame.crop(rectangle)
    frame.paste(Image.blend(panel, Image.new('RGB', panel.size), 0.7), rectangle[:2])
    draw = ImageDraw.Draw(frame)
    # The last row and column belong to the rectangle.
    draw.rectangle((*rectangle[:2], rectangle[2] - 1, rectangle[3] - 1), outline=face_color(number))
    for row, line in enumerate(lines[: (rectangle[3] - rectangle[1]) // LINE]):
        draw.text((rectangle[0] + MARGIN, rectangle[1] + MARGIN + LINE * row), line, fill='white', font=font)
    return rectangle


def _shared_area(one: Sequence[float], other: Sequence[float]) -> float:
    return max(0, min(one[2], other[2]) - max(one[0], other[0])) * max(
        0, min(one[3], other[3]) - max(one[1], other[1])
    )
