"""How the web page shows a photo: the photo with numbered boxes, and a card of attributes for each of its faces."""

import base64
import re
from pathlib import Path
from typing import List, Sequence, Tuple

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..visualization.face_labels import LONGEST, colour_of

# Height of a face on its card, in pixels of a screen that has two where others have one; and its largest width, since
# what is said to be an aligned face may be of any shape.
CROP, WIDEST = 144, 288


def render_faces(name: str, image: np.ndarray, faces: Sequence[dict], groups: Sequence[dict]) -> str:
    """HTML with the pictures in it.

    Args:
        name: Of the photo.
        image: uint8 BGR ``(H, W, 3)``.
        faces: Of :class:`~imcnn_plugin.apis.FaceAttributeInferencer`, with ``crop``. A ``box`` of None is not drawn.
        groups: Dicts of ``name`` and ``labels``; each attribute of a face is in one.
    """
    scale = min(1, LONGEST / max(image.shape[:2]))
    size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    boxes = [
        (number, colour_of(number), *place(face['box'], image.shape))
        for number, face in enumerate(faces, 1)
        if face['box'] is not None
    ]
    return render(
        'face_cards.html',
        message=None,
        name=name,
        photo=data_uri(cv2.resize(image, size, interpolation=cv2.INTER_AREA)),
        boxes=boxes,
        cards=[card(number, face, groups) for number, face in enumerate(faces, 1)],
    )


def render_message(message: str) -> str:
    """HTML of a message in place of faces."""
    return render('face_cards.html', message=message)


def render(template: str, **context) -> str:
    """A template beside this file, filled in; what is filled in is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(spaced=spaced)
    return environment.get_template(template).render(context)


def place(box: Sequence[float], shape: Tuple[int, ...]) -> List[float]:
    """Left, top, width and height of the part of a box that is in a photo of this shape, in percent of the photo."""
    left, right = np.clip(np.array(box[::2]) / shape[1] * 100, 0, 100).tolist()
    top, bottom = np.clip(np.array(box[1::2]) / shape[0] * 100, 0, 100).tolist()
    return [left, top, right - left, bottom - top]


def card(number: int, face: dict, groups: Sequence[dict]) -> dict:
    attributes, crop = face['attributes'], face['crop']
    width = min(WIDEST, max(1, round(CROP * crop.shape[1] / crop.shape[0])))
    found = [name for name, values in attributes.items() if values['label']]
    return dict(
        number=number,
        colour=colour_of(number),
        crop=data_uri(cv2.resize(crop, (width, CROP), interpolation=cv2.INTER_AREA)),
        found=sorted(found, key=lambda name: -attributes[name]['probability']),
        groups=[(group['name'], {name: attributes[name] for name in group['labels']}) for group in groups],
    )


def spaced(name: str) -> str:
    """``Wearing_Hat`` and ``AroundHead`` as words: Wearing Hat, Around Head."""
    return re.sub('(?<=[a-z])(?=[A-Z])', ' ', name.replace('_', ' '))


def data_uri(image: np.ndarray) -> str:
    """A picture, uint8 BGR, as an address that holds it."""
    return 'data:image/jpeg;base64,' + base64.b64encode(cv2.imencode('.jpg', image)[1]).decode()
