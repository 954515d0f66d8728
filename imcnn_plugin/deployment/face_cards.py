"""The HTML of a photo on the web page: numbered boxes, and a card of attributes for each face."""

from pathlib import Path
from typing import List, Sequence, Tuple

import cv2
import numpy as np

from ..templates import data_uri, render_template
from ..visualization import MAX_SIDE, face_color, spaced

_TEMPLATE = Path(__file__).with_name('face_cards.html')
# Height of a face on its card, for screens with two device pixels per CSS pixel; and its maximum width, since an image
# that is passed as an aligned face may have any shape.
_CROP, _MAX_WIDTH = 144, 288


def _render_faces(name: str, image: np.ndarray, faces: Sequence[dict], groups: Sequence[dict]) -> str:
    """HTML, with embedded images, of a photo uint8 BGR ``(H, W, 3)`` and what the inferencer found, with crops.

    A ``box`` of None is not drawn. Groups are dicts of ``name`` and ``labels``; each attribute of a face is in one.
    """
    scale = min(1, MAX_SIDE / max(image.shape[:2]))
    size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    boxes = [
        (number, face_color(number), *_place(face['box'], image.shape))
        for number, face in enumerate(faces, 1)
        if face['box'] is not None
    ]
    values = dict(
        message=None,
        name=name,
        photo=_jpeg_uri(cv2.resize(image, size, interpolation=cv2.INTER_AREA)),
        boxes=boxes,
        cards=[_card(number, face, groups) for number, face in enumerate(faces, 1)],
    )
    return render_template(_TEMPLATE, values, dict(spaced=spaced))


def _render_message(message: str) -> str:
    """HTML of a message instead of faces."""
    return render_template(_TEMPLATE, dict(message=message), dict(spaced=spaced))


def _place(box: Sequence[float], shape: Tuple[int, ...]) -> List[float]:
    """Left, top, width and height of the part of a box that is in a photo of this shape, in percent of the photo."""
    left, right = np.clip(np.array(box[::2]) / shape[1] * 100, 0, 100).tolist()
    top, bottom = np.clip(np.array(box[1::2]) / shape[0] * 100, 0, 100).tolist()
    return [left, top, right - left, bottom - top]


def _card(number: int, face: dict, groups: Sequence[dict]) -> dict:
    attributes, crop = face['attributes'], face['crop']
    width = min(_MAX_WIDTH, max(1, round(_CROP * crop.shape[1] / crop.shape[0])))
    found = [name for name, values in attributes.items() if values['label']]
    return dict(
        number=number,
        color=face_color(number),
        crop=_jpeg_uri(cv2.resize(crop, (width, _CROP), interpolation=cv2.INTER_AREA)),
        found=sorted(found, key=lambda name: -attributes[name]['probability']),
        groups=[(group['name'], {name: attributes[name] for name in group['labels']}) for group in groups],
    )


def _jpeg_uri(image: np.ndarray) -> str:
    """An image, uint8 BGR, as a JPEG ``data:`` URI."""
    return data_uri(cv2.imencode('.jpg', image)[1].tobytes(), 'jpeg')
