from typing import Iterator, List, Sequence, Tuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..attributes import NINE_GROUPS
from .figure_utils import COLORS, UNKNOWN, spaced

# The longer side of the drawn photo in pixels. Smaller photos are enlarged to keep boxes and text legible.
MIN_SIDE, MAX_SIDE = 640, 1280
FONT_SIZE, LINE, MARGIN = 16, 22, 12
# Width of a column of the list, and side of a face's thumbnail in it.
COLUMN, PICTURE = 400, 64
# The list has at most this many faces; a line counts the others.
MAX_FACES = 200
# Negative attributes are listed from this share of their threshold on.
NEAR = 0.9
# On white, the contrast is 21:1 and 6.4:1.
BLACK, GREY = '#000000', UNKNOWN
# White is legible on the first color of the palette alone, black on all others.
WHITE_ON = COLORS[0]


def draw_faces(image: np.ndarray, faces: Sequence[dict], groups: Sequence[dict] = NINE_GROUPS) -> np.ndarray:
    """Draws numbered boxes on a photo, and beside or below it a list of the attributes of each face, by group.

    Attributes that are just below their threshold are listed in brackets.

    Args:
        image: uint8 BGR ``(H, W, 3)``.
        faces: From :class:`~imcnn_plugin.apis.FaceAttributeInferencer`. Faces whose ``box`` is None get no box.
        groups: Groups of the model's head, dicts of ``name`` and ``labels``. Attributes without a group come last.

    Returns:
        uint8 BGR, resized and with the list added.
    """
    original = Image.fromarray(image[..., ::-1])
    longer = max(original.size)
    scale = np.clip(longer, MIN_SIDE, MAX_SIDE) / longer
    size = [max(1, round(side * scale)) for side in original.size]
    photo = original.resize(size, Image.Resampling.LANCZOS)
    font = ImageFont.load_default(FONT_SIZE)
    # From the last to the first, which is the largest.
    for number, face in reversed([*enumerate(faces, 1)]):
        if face['box'] is not None:
            _draw_box(photo, number, [scale * side for side in face['box']], font)
    entries = [_draw_face(original, number, face, groups, font) for number, face in enumerate(faces[:MAX_FACES], 1)]
    if notes := [[(note, GREY)] for note in _notes(faces)]:
        entries.append(_draw_text(notes, COLUMN, font))
    return np.ascontiguousarray(np.asarray(_arrange(photo, entries))[..., ::-1])


def face_color(number: int) -> str:
    """The hex color of a face's box, from its number."""
    # Without black, the color of the text.
    return COLORS[(number - 1) % (len(COLORS) - 1)]


def _draw_box(photo: Image.Image, number: int, box: Sequence[float], font: ImageFont.FreeTypeFont) -> None:
    """A face's box with its number above it, or below it if there is no space above."""
    left, top, right, bottom = box
    draw = ImageDraw.Draw(photo)
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline='white', width=5)
    draw.rectangle(box, outline=face_color(number), width=3)
    left = min(left, photo.width - 12 - font.getlength(str(number)))
    top = min(top - LINE if top >= LINE else bottom, photo.height - LINE)
    _draw_number(draw, max(0, left), max(0, top), number, str(number), font)


def _draw_number(
    draw: ImageDraw.ImageDraw, left: float, top: float, number: int, text: str, font: ImageFont.FreeTypeFont
) -> None:
    color = face_color(number)
    draw.rectangle((left, top, left + 12 + font.getlength(text), top + LINE), fill=color)
    draw.text((left + 6, top + 1), text, fill='white' if color == WHITE_ON else BLACK, font=font)


def _draw_face(
    photo: Image.Image, number: int, face: dict, groups: Sequence[dict], font: ImageFont.FreeTypeFont
) -> Image.Image:
    """An entry of the list: the number, the attributes and, unless it is the whole photo, a thumbnail of a face."""
    left = 0 if face['box'] is None else PICTURE + MARGIN
    lines = list(_describe(face['attributes'], groups)) or [[('nothing found', GREY)]]
    text = _draw_text(lines, COLUMN - left, font)
    entry = Image.new('RGB', (COLUMN, max(LINE + text.height, left) + MARGIN), 'white')
    entry.paste(text, (left, LINE + 2))
    draw = ImageDraw.Draw(entry)
    if face['box'] is not None:
        entry.paste(_cut_out(photo, face['box']), (MARGIN, 0))
        draw.rectangle((MARGIN, 0, left, PICTURE), outline=face_color(number), width=3)
    _draw_number(draw, left + MARGIN, 0, number, f'Face {number}', font)
    return entry


def _cut_out(photo: Image.Image, box: Sequence[float]) -> Image.Image:
    """A square thumbnail of a face with some surroundings."""
    left, top, right, bottom = box
    half = min(max(0.5, 0.65 * (right - left), 0.65 * (bottom - top)), *(side / 2 for side in photo.size))
    x, y = (
        np.clip((start + end) / 2, half, side - half)
        for start, end, side in zip((left, top), (right, bottom), photo.size)
    )
    return photo.resize((PICTURE, PICTURE), Image.Resampling.LANCZOS, (x - half, y - half, x + half, y + half))


def _describe(attributes: dict, groups: Sequence[dict]) -> Iterator[List[Tuple[str, str]]]:
    """Yields for each group its positive and nearly positive attributes, if any, as texts with their colors."""
    grouped = {name for group in groups for name in group['labels']}
    others = dict(name='Other', labels=[name for name in attributes if name not in grouped])
    for group in (*groups, others):
        texts = []
        for name in sorted(attributes.keys() & group['labels'], key=lambda name: -attributes[name]['probability']):
            text = f'{spaced(name)} {100 * attributes[name]["probability"]:.0f} %'
            if attributes[name]['label']:
                texts.append((text, BLACK))
            elif _is_near(attributes[name]):
                texts.append((f'({text})', GREY))
        if texts:
            texts[:-1] = [(f'{text},', color) for text, color in texts[:-1]]
            yield [(f'{spaced(group["name"])}:', GREY), *texts]


def _is_near(value: dict) -> bool:
    return not value['label'] and value['probability'] >= NEAR * value['threshold']


def _notes(faces: Sequence[dict]) -> Iterator[str]:
    """What a reader of the list must know."""
    if not faces:
        yield 'no face'
    if len(faces) > MAX_FACES:
        yield f'{len(faces) - MAX_FACES} more faces have a number in the photo alone.'
    if any(_is_near(value) for face in faces[:MAX_FACES] for value in face['attributes'].values()):
        yield '(In brackets): just below the threshold, not found.'


def _draw_text(lines: Sequence[Sequence[Tuple[str, str]]], width: int, font: ImageFont.FreeTypeFont) -> Image.Image:
    """Lines of texts with their colors, wrapped, as an image of this width with margins."""
    words, space = [], font.getlength(' ')
    x, y, right = MARGIN, 0, width - MARGIN
    for row, line in enumerate(lines):
        x, y = MARGIN, y + LINE * (row > 0)
        for text, color in line:
            length = font.getlength(text)
            # Only texts that are longer than a line are broken at their spaces.
            fits = length <= right - 2 * MARGIN
            for word in [text] if fits else text.split(' '):
                length = length if fits else font.getlength(word)
                if x > MARGIN and x + length > right:
                    x, y = 2 * MARGIN, y + LINE
                # Words that are longer than a line are broken anywhere.
                while x + length > right:
                    end = max(i for i in range(1, len(word)) if i == 1 or x + font.getlength(word[:i]) <= right)
                    words.append((x, y, word[:end], color))
                    x, y, word = 2 * MARGIN, y + LINE, word[end:]
                    length = font.getlength(word)
                words.append((x, y, word, color))
                x += length + space
    image = Image.new('RGB', (width, y + LINE), 'white')
    draw = ImageDraw.Draw(image)
    for x, y, word, color in words:
        draw.text((x, y), word, fill=color, font=font)
    return image


def _arrange(photo: Image.Image, entries: Sequence[Image.Image]) -> Image.Image:
    """The photo with the entries of the list in columns beside or below it, whichever fits a screen better."""
    if not entries:
        return photo
    heights = [entry.height for entry in entries]
    layouts = []
    for limit in (photo.height, *np.geomspace(max(heights), sum(heights), 50)):
        places, bottom = _fill_columns(heights, limit)
        width = places[-1][0] + COLUMN
        layouts.append(((photo.width, 0), (photo.width + width, max(photo.height, bottom)), places))
        layouts.append(((0, photo.height), (max(photo.width, width), photo.height + bottom), places))
    corner, size, places = min(layouts, key=lambda layout: max(3 * layout[1][0], 4 * layout[1][1]))
    canvas = Image.new('RGB', size, 'white')
    canvas.paste(photo)
    for entry, (x, y) in zip(entries, places):
        canvas.paste(entry, (corner[0] + x, corner[1] + y))
    return canvas


def _fill_columns(heights: Sequence[int], limit: float) -> Tuple[List[Tuple[int, int]], int]:
    """The corners of entries of these heights in columns, which do not exceed the limit if possible.

    Also returns the height of the highest column.
    """
    x, y, places, bottom = 0, MARGIN, [], 0
    for height in heights:
        if y > MARGIN and y + height > limit + MARGIN:
            x, y = x + COLUMN, MARGIN
        places.append((x, y))
        y += height
        bottom = max(bottom, y)
    return places, bottom
