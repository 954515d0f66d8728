from typing import List, Sequence, Tuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .figure_utils import COLORS

# The longer side of the drawn photo in pixels. Smaller photos are enlarged to keep boxes and text legible.
MIN_SIDE, MAX_SIDE = 640, 1280
FONT_SIZE, LINE, MARGIN = 16, 22, 12
# At most this many attributes are listed per face.
MAX_ATTRIBUTES = 12


def draw_faces(image: np.ndarray, faces: Sequence[dict]) -> np.ndarray:
    """Draws numbered boxes on a photo and lists each face's most probable positive attributes to its right.

    Args:
        image: uint8 BGR ``(H, W, 3)``.
        faces: From :class:`~imcnn_plugin.apis.FaceAttributeInferencer`. Faces whose ``box`` is None get no box.

    Returns:
        uint8 BGR, resized and with the list added on the right.
    """
    longer = max(image.shape[:2])
    scale = np.clip(longer, MIN_SIDE, MAX_SIDE) / longer
    width, height = (max(1, round(side * scale)) for side in image.shape[1::-1])
    photo = Image.fromarray(image[..., ::-1]).resize((width, height), Image.Resampling.LANCZOS)
    font = ImageFont.load_default(FONT_SIZE)
    lines_per_face = int((height - 2 * MARGIN) / LINE / max(1, len(faces)))
    most = min(MAX_ATTRIBUTES, max(1, lines_per_face - 1))
    lines = [line for number, face in enumerate(faces, 1) for line in _describe(face, number, most)]
    lines = lines or [('no face', 'black')]
    panel = 2 * MARGIN + max(int(font.getlength(text)) for text, _ in lines)
    canvas = Image.new('RGB', (width + panel, max(height, 2 * MARGIN + LINE * len(lines))), 'white')
    canvas.paste(photo)

    draw = ImageDraw.Draw(canvas)
    for number, face in enumerate(faces, 1):
        if face['box'] is not None:
            left, top, right, bottom = (scale * np.array(face['box'])).tolist()
            draw.rectangle((left, top, right, bottom), outline=face_color(number), width=3)
            # The number stands above the box, or below its bottom edge if there is no space above.
            top = top - LINE if top >= LINE else bottom
            draw.rectangle((left, top, left + 12 + font.getlength(str(number)), top + LINE), fill=face_color(number))
            draw.text((left + 6, top + 1), str(number), fill='white', font=font)
    for row, (text, color) in enumerate(lines):
        draw.text((width + MARGIN, MARGIN + LINE * row), text, fill=color, font=font)
    return np.ascontiguousarray(np.asarray(canvas)[..., ::-1])


def face_color(number: int) -> str:
    """The hex color of a face's box, from its number."""
    # Without black, the color of the text.
    return COLORS[(number - 1) % (len(COLORS) - 1)]


def _describe(face: dict, number: int, most: int) -> List[Tuple[str, str]]:
    """Lines of text with their colors: the face's number, then its most probable positive attributes."""
    positive = [(values['probability'], name) for name, values in face['attributes'].items() if values['label']]
    return [(f'Face {number}', face_color(number))] + [
        (f'{name.replace("_", " ")} {100 * probability:.0f} %', 'black')
        for probability, name in sorted(positive, reverse=True)[:most]
    ]
