"""Draws one synthetic face that shows all 40 attributes."""

from types import SimpleNamespace
from typing import Dict, Tuple

import numpy as np

from .canvas import HEIGHT, SUPERSAMPLING, WIDTH, _Canvas, _mix
from .face_features import ACCESSORIES, FEATURES
from .head_and_body import BEHIND_FACE, _front_hair, _head
from .sampling import _image_rng, _sample_identity, _sample_image

HAIR_COLORS = dict(
    Black_Hair=(28, 24, 26), Blond_Hair=(232, 196, 104), Brown_Hair=(104, 64, 34), Gray_Hair=(172, 174, 180)
)
RED_HAIR = (178, 62, 24)
CLOTHES = np.array([(40, 52, 84), (120, 34, 44), (50, 96, 80), (70, 70, 76), (180, 150, 60), (96, 60, 120)], float)
TIES = np.array([(170, 24, 36), (24, 60, 160), (20, 110, 60), (110, 30, 130), (210, 120, 20)], float)
EYESHADOW = np.array([(120, 40, 150), (30, 90, 170), (20, 130, 130)], float)


def draw_example() -> np.ndarray:
    """Draws a synthetic face, aligned as in CelebA: uint8 BGR ``(218, 178, 3)``.

    The face detectors detect it.
    """
    traits, stable = _sample_identity(0, 0)
    rng = _image_rng(0, 0, 0)
    face = _draw_face(traits, _sample_image(traits, stable, rng), rng)
    return np.ascontiguousarray(face[..., ::-1])


def _draw_face(traits: dict, has: Dict[str, bool], rng: np.random.Generator) -> np.ndarray:
    """Draws an RGB image, uint8 ``(218, 178, 3)``, with an identity's traits and any combination of the 40 attributes.

    ``rng`` determines pose, light, background, clothes and noise. The attributes do not change how far it advances.
    """
    view = _sample_view(rng)
    return _paint(traits, has, view).canvas.finish(view, has['Blurry'])


def _cut_out_face(
    traits: dict, has: Dict[str, bool], rng: np.random.Generator
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Like :func:`_draw_face`, but without background, light and noise.

    Returns:
        RGB ``(218, 178, 3)``, premultiplied by the opacity, and the opacity ``(218, 178, 1)``, both float32 in 0..255;
        and the box ``(4, )`` of the head from the crown to the chin: left, top, right, bottom in pixels.
    """
    view = _sample_view(rng)
    view.bokeh = ()
    on_black, on_white = (
        _paint(traits, has, SimpleNamespace(**vars(view) | dict(background=np.full((2, 3), shade))))
        for shade in (0.0, 255.0)
    )
    image, other = (face.canvas.shrink(view, has['Blurry']) for face in (on_black, on_white))
    head = on_black.canvas.place(on_black.head, depth=-0.6) / SUPERSAMPLING
    return image, 255 - (other - image).mean(axis=2, keepdims=True), np.concatenate([head.min(0), head.max(0)])


def _paint(traits: dict, has: Dict[str, bool], view: SimpleNamespace) -> SimpleNamespace:
    """Paints a face on a new canvas; returns it with everything that the shapes depend on."""
    skin = _mix((226, 172, 132), (112, 72, 48), traits['skin'] ** 1.3)
    if has['Pale_Skin']:
        skin = _mix((252, 232, 224), (246, 222, 214), traits['skin'])
    unnamed = HAIR_COLORS['Brown_Hair'] if has['Bald'] else RED_HAIR
    hair = next((color for name, color in HAIR_COLORS.items() if has[name]), unnamed)
    hair = np.clip(np.array(hair) * traits['hair_shade'], 0, 255)
    face = SimpleNamespace(
        canvas=_Canvas(view),
        view=view,
        has=has,
        traits=traits,
        skin=skin,
        shadow=skin * (0.62, 0.54, 0.52),
        hair=hair,
        dark_hair=_mix(hair * 0.5, (30, 22, 20), 0.5),
        width=43 + traits['face_width'],
        neck=33 if has['Male'] else 20,
    )
    face.head = _head(face)
    face.clip = face.canvas.clip([face.head], depth=-0.6)
    for draw in (*BEHIND_FACE, *FEATURES, _front_hair, *ACCESSORIES):
        draw(face)
    return face


def _sample_view(rng: np.random.Generator) -> SimpleNamespace:
    """Samples what has no label and differs between images of an identity: pose, light, background, clothes, noise."""
    return SimpleNamespace(
        angle=rng.uniform(-5, 5),
        scale=rng.uniform(0.95, 1.04),
        shift=rng.uniform(-2.5, 2.5, 2),
        turn=rng.uniform(-4, 4),
        light=rng.uniform(-0.12, 0.12, 2),
        gain=rng.uniform(0.92, 1.06),
        tint=rng.uniform(0.97, 1.03, 3),
        bokeh=rng.random((5, 3)),
        background=rng.uniform(50, 210, (2, 1)) + rng.uniform(-28, 28, (2, 3)),
        clothes=CLOTHES[rng.integers(6)],
        shirt=rng.uniform(200, 245),
        hat=CLOTHES[rng.integers(6)],
        brim=rng.choice([8, 22]),
        tie=TIES[rng.integers(5)],
        frame=rng.choice([20, 60]),
        jewellery=(238, 240, 246) if rng.random() < 0.5 else (250, 206, 70),
        lipstick=np.array([rng.uniform(185, 215), rng.uniform(10, 30), rng.uniform(40, 90)]),
        eyeshadow=EYESHADOW[rng.integers(3)],
        blur=rng.uniform(3.2, 4.2),
        noise=rng.standard_normal((HEIGHT, WIDTH, 1), np.float32) * rng.uniform(1, 4),
    )
