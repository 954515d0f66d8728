from typing import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .figure_file import COLOURS

# The longer side of the drawn photo in pixels; smaller ones are enlarged, so that boxes and words are legible.
SHORTEST, LONGEST = 640, 1280
FONT_SIZE, LINE, MARGIN = 16, 22, 12
# At most so many attributes a face are listed.
MOST = 12


def draw_faces(image: np.ndarray, faces: Sequence[dict]) -> np.ndarray:
    """A photo with numbered boxes around its faces and, on the right, the attributes that each face surely has.

    Those with the highest probabilities are listed, as many as there is room for.

    Args:
        image: uint8 BGR ``(H, W, 3)``.
        faces: Of :class:`~imcnn_plugin.apis.FaceAttributeInferencer`. A ``box`` of None is not drawn.

    Returns:
        uint8 BGR, of another size.
    """
    longer = max(image.shape[:2])
    scale = np.clip(longer, SHORTEST, LONGEST) / longer
    width, height = (max(1, round(side * scale)) for side in image.shape[1::-1])
    photo = Image.fromarray(image[..., ::-1]).resize((width, height), Image.Resampling.LANCZOS)
    font = ImageFont.load_default(FONT_SIZE)
    room = int((height - 2 * MARGIN) / LINE / max(1, len(faces))) - 1
    blocks = [describe(face, number, min(MOST, max(1, room))) for number, face in enumerate(faces, 1)]
    lines = [line for block in blocks for line in block] or [('no face', 'black')]
    panel = 2 * MARGIN + max(int(font.getlength(text)) for text, _ in lines)
    canvas = Image.new('RGB', (width + panel, max(height, 2 * MARGIN + LINE * len(lines))), 'white')
    canvas.paste(photo)

    draw = ImageDraw.Draw(canvas)
    for number, face in enumerate(faces, 1):
        if face['box'] is not None:
            left, top, right, bottom = (scale * np.array(face['box'])).tolist()
            draw.rectangle((left, top, right, bottom), outline=colour_of(number), width=3)
            # The number is outside of the box, where there is room.
            top = top - LINE if top >= LINE else bottom
            draw.rectangle((left, top, left + 12 + font.getlength(str(number)), top + LINE), fill=colour_of(number))
            draw.text((left + 6, top + 1), str(number), fill='white', font=font)
    for row, (text, colour) in enumerate(lines):
        draw.text((width + MARGIN, MARGIN + LINE * row), text, fill=colour, font=font)
    return np.ascontiguousarray(np.asarray(canvas)[..., ::-1])


def describe(face: dict, number: int, most: int) -> list:
    """Lines of text and their colours: the face's number, then its most probable positive attributes."""
    found = [(values['probability'], name) for name, values in face['attributes'].items() if values['label']]
    listed = sorted(found, reverse=True)[:most]
    return [(f'Face {number}', colour_of(number))] + [
        (f'{name.replace("_", " ")} {100 * probability:.0f} %', 'black') for probability, name in listed
    ]


def colour_of(number: int) -> str:
    # Without the black of the words.
    return COLOURS[(number - 1) % (len(COLOURS) - 1)]
