"""The HTML of photos on the web page: numbered boxes, and a card of attributes for each face."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

from ..templates import data_uri, render_template
from ..visualization import MAX_SIDE, face_color, spaced

_TEMPLATE = Path(__file__).with_name('face_cards.html')
# Height of a face on its card, for screens with two device pixels per CSS pixel; and its maximum width, since an image
# that is passed as an aligned face may have any shape.
_CROP, _MAX_WIDTH = 192, 384
# The width at which a photo is shown, in CSS pixels: its own between these.
_SHOWN = (300, 640)
_KINDS = {'.csv': 'text/csv', '.json': 'application/json'}
# What each doubt about a face means, and what helps.
_DOUBTS = dict(
    small='The face is small: a photo in which it is larger gives a better answer.',
    blurred='The face is blurred: a sharper photo gives a better answer.',
    turned='The face is turned away: a photo from the front gives a better answer.',
)


class _Photo(NamedTuple):
    """A photo on the page: uint8 BGR ``(H, W, 3)``, or None if it cannot be read, and its result."""

    name: str
    image: Optional[np.ndarray]
    result: dict  # of the inferencer, with crops


def _render_photos(photos: Sequence[_Photo], groups: Sequence[dict], files: Dict[str, str]) -> str:
    """Renders the results of photos as HTML with embedded images.

    A ``box`` of None is not drawn. Groups are dicts of ``name`` and ``labels``; each attribute of a face is in one.
    The files, texts by name, can be downloaded; they are embedded, too.
    """
    links = [(name, data_uri(text.encode(), _KINDS[Path(name).suffix])) for name, text in files.items()]
    return _render([_describe(photo, groups) for photo in photos], links)


def _render_message(message: str) -> str:
    """HTML of a message instead of photos."""
    return _render([dict(message=message)])


def _render(photos: Sequence[dict], files: Sequence[Tuple[str, str]] = ()) -> str:
    number = sum(len(photo.get('cards', ())) for photo in photos)
    return render_template(_TEMPLATE, dict(photos=photos, number=number, files=files), dict(spaced=spaced))


def _describe(photo: _Photo, groups: Sequence[dict]) -> dict:
    """What the template needs to know about a photo."""
    if not photo.result['faces']:
        return dict(name=photo.name, message=_advise(photo))
    height, width = photo.image.shape[:2]
    scale = min(1, MAX_SIDE / max(height, width))
    size = [max(1, round(side * scale)) for side in (width, height)]
    faces = photo.result['faces']
    boxes = [
        (number, face_color(number), *_place(face['box'], photo.image.shape))
        for number, face in enumerate(faces, 1)
        if face['box'] is not None
    ]
    return dict(
        name=photo.name,
        message=None,
        photo=_jpeg_uri(cv2.resize(photo.image, size, interpolation=cv2.INTER_AREA)),
        width=int(np.clip(width, *_SHOWN)),
        shape=width / height,
        boxes=boxes,
        cards=[_card(number, face, groups) for number, face in enumerate(faces, 1)],
    )


def _advise(photo: _Photo) -> str:
    """A message: why a photo has no faces, and what to do."""
    if photo.result['failed']:
        return f'{photo.result["reason"]}.'
    smallest = photo.result['smallest_face']
    size = '' if smallest is None else f' and at least {smallest:.0f} pixels wide'
    return (
        f'No face was found in {photo.name}. Try a photo in which the face is upright, seen from the front, in good '
        f'light{size}, or cut out the part of this one around the face.'
    )


def _place(box: Sequence[float], shape: Tuple[int, ...]) -> List[float]:
    """Left, top, width and height of the part of a box that is in a photo of this shape, in percent of the photo."""
    left, right = np.clip(np.array(box[::2]) / shape[1] * 100, 0, 100).tolist()
    top, bottom = np.clip(np.array(box[1::2]) / shape[0] * 100, 0, 100).tolist()
    return [left, top, right - left, bottom - top]


def _card(number: int, face: dict, groups: Sequence[dict]) -> dict:
    attributes, crop = face['attributes'], face['crop']
    width = min(_MAX_WIDTH, max(1, round(_CROP * crop.shape[1] / crop.shape[0])))
    found = sorted((item for item in attributes.items() if item[1]['label']), key=lambda item: -item[1]['probability'])
    absent = {name: values for name, values in attributes.items() if not values['label']}
    rest = [(group['name'], [(name, absent[name]) for name in group['labels'] if name in absent]) for group in groups]
    return dict(
        number=number,
        color=face_color(number),
        # A photo that is an aligned face is not shown twice.
        crop=face['box'] and _jpeg_uri(cv2.resize(crop, (width, _CROP), interpolation=cv2.INTER_AREA)),
        doubts=[_DOUBTS[doubt] for doubt in (face['quality'] or {}).get('doubts', ())],
        found=found,
        rest=[(name, values) for name, values in rest if values],
        others=len(attributes) - len(found),
    )


def _jpeg_uri(image: np.ndarray) -> str:
    """An image, uint8 BGR, as a JPEG ``data:`` URI."""
    return data_uri(cv2.imencode('.jpg', image)[1].tobytes(), 'image/jpeg')
