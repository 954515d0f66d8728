"""Background, head, ears, hair, neck and clothes of a synthetic face."""

import numpy as np

from .canvas import _both_sides, _curve, _ellipse, _lighten, _symmetric


def _head(face):
    """Outline of the head: Oval_Face tapers to a long chin, otherwise the jaw is square; Chubby widens the cheeks."""
    has, width = face.has, face.width
    cheek, jaw, chin, bottom = (0.88, 0.63, 0.3, 187) if has['Oval_Face'] else (0.98, 0.9, 0.56, 179)
    if has['Chubby']:
        cheek, jaw, chin = cheek + 0.14, jaw + 0.2, chin + 0.12
    bottom += face.traits['chin']
    upper = [(0, 46), (24, 51), (width * 0.93, 76), (width, 104)]
    lower = [(width * cheek, 136), (width * jaw, 157), (width * chin, bottom - 6), (0, bottom)]
    return _symmetric(*upper, *lower)


def _background(face):
    for x, y, size in face.view.bokeh:
        color = face.view.background[0] * 0.6 + 90 * size
        face.canvas.paint([_ellipse(x * 178 - 89, y * 180, 10 + 22 * size, 10 + 22 * size)], color, 0.5, soft=4)


def _strands(face, clip, depth, bottom):
    """Straight_Hair: straight streaks; Wavy_Hair: waves; neither: plain."""
    has = face.has
    if not (has['Straight_Hair'] or has['Wavy_Hair']):
        return
    y = np.arange(30, bottom, 4.0)
    wave = 4.5 * np.sin(y / 3.6) if has['Wavy_Hair'] else 0
    # Strands fan out from the parting, where they are close together.
    fan, parting = np.sqrt(0.02 + (y - 30) / 188), face.traits['parting']
    ends = np.linspace(-110, 110, 34) + face.traits['strands']
    lines = [np.stack([parting * (1 - fan) + end * fan + wave, y], 1) for end in ends]
    face.canvas.paint(lines[::2], _lighten(face.hair, 1.2, 24), 0.85, depth=depth, width=1.6, clip=clip)
    face.canvas.paint(lines[1::2], face.hair * 0.6, 0.85, depth=depth, width=1.6, clip=clip)


def _hair_outline(face):
    """Right half of the hair's outer edge, from the crown to the ends; Wavy_Hair has the most volume."""
    has, length = face.has, face.traits['hair_length']
    volume = 7 if has['Straight_Hair'] else 15 if has['Wavy_Hair'] else 3
    w = face.width + volume
    top = 43 - volume
    if has['Male'] or not (has['Straight_Hair'] or has['Wavy_Hair']):
        return [(0, top), (w * 0.6, top + 6), (w * 0.96, 70), (w + 1, 98), (w - 3, 112 + 8 * length)]
    return [(0, top), (w * 0.6, top + 6), (w * 0.98, 72), (w + 4, 108), (w + 7, 150), (w + 5, 176 + 45 * length)]


def _back_hair(face):
    """Hair behind the head. Women: long with Straight_Hair or Wavy_Hair, otherwise in a bun."""
    has = face.has
    if has['Bald']:
        return
    half = _hair_outline(face)
    shapes = [_symmetric(*half, (0, half[-1][1]))]
    if has['Wavy_Hair']:
        shapes += [lump for x, y in _curve(*half, steps=3)[1:] for lump in _both_sides(_ellipse(x - 3, y, 9, 9))]
    elif not has['Straight_Hair'] and not has['Male'] and not has['Wearing_Hat']:
        shapes.append(_ellipse(face.traits['side'] * 4, 34, 20, 15))
    face.canvas.paint(shapes, face.hair * 0.8, depth=-1)
    _strands(face, face.canvas.clip(shapes, depth=-1), depth=-1, bottom=half[-1][1] + 8)


def _front_hair(face):
    """Hair over the forehead: hair colors, Receding_Hairline, Bangs; Bald: a highlight on the scalp instead."""
    canvas, has, w = face.canvas, face.has, face.width
    if has['Bald']:
        canvas.paint([_ellipse(-10, 60, 14, 6, -15)], _lighten(face.skin, 1.35, 25), 0.9, soft=2, depth=0.2)
        return
    outer = _hair_outline(face)
    ends = outer[-1][1] if outer[-1][1] < 130 else 150
    outer = [point for point in outer if point[1] < ends] + [(w + 1, ends - 1)]
    parting = face.traits['parting']
    if has['Receding_Hairline']:
        side = [(w - 1, 104), (w - 5, 82), (37, 54), (22, 47), (6, 58)]
        inner = side + [(-x, y) for x, y in side[::-1]]
    else:
        inner = [(w - 2, 108), (w - 7, 90), (28, 77), (parting, 68), (-28, 77), (-w + 7, 90), (-w + 2, 108)]
    outside = _curve(*[(-x, y) for x, y in outer[:0:-1]], *outer)
    shapes = [np.concatenate([outside, _curve(*inner)])]
    if has['Wavy_Hair']:
        shapes += [lump for x, y in _curve(*outer, steps=3)[1:-2] for lump in _both_sides(_ellipse(x - 2, y, 8, 8))]
    if has['Bangs']:
        x = np.linspace(-w + 3, w - 3, 17)
        fringe = np.stack([x, 90 + 5 * (np.arange(17) % 2) - 0.004 * (x - parting) ** 2], 1)
        shapes.append(np.concatenate([_curve((w - 2, 78), (20, 48), (-20, 48), (-w + 2, 78)), fringe]))
    canvas.paint([shape + (0, 2.5) for shape in shapes], face.shadow, 0.5, soft=1.5, depth=-0.4, clip=face.clip)
    canvas.paint(shapes, face.hair, depth=-0.4)
    clip = canvas.clip(shapes, depth=-0.4)
    canvas.paint([_ellipse(-12, 56, 26, 6, -12)], _lighten(face.hair, 1.3, 25), 0.5, soft=3, depth=-0.4, clip=clip)
    _strands(face, clip, depth=-0.4, bottom=116)


def _body(face):
    """Neck and clothes: broad for Male; a shirt for Male or Wearing_Necktie."""
    canvas, has, view, neck = face.canvas, face.has, face.view, face.neck
    shoulder, slope = (100, 192) if has['Male'] else (74, 200)
    half = np.array([(neck, slope), (shoulder * 0.9, 210), (shoulder, 226)])
    canvas.paint([np.concatenate([half[::-1] * (-1, 1), half])], view.clothes, depth=-0.6)
    outline = _symmetric((0, 150), (neck, 152), (neck, 192), (neck * 0.9 + 4, 202), (0, 214))
    canvas.paint([outline], face.skin, depth=-0.6)
    below_chin = _ellipse(0, face.head[:, 1].max() - 2, neck + 4, 12)
    clip = canvas.clip([_ellipse(0, 180, neck, 40)], depth=-0.6)
    canvas.paint([below_chin], face.shadow, 0.75, soft=3, depth=-0.6, clip=clip)
    if has['Male'] or has['Wearing_Necktie']:
        collar = np.array([(neck - 6, 184), (neck + 4, 188), (30, 218), (20, 224), (2, 206)])
        canvas.paint([np.array([(-14, 226), (0, 204), (14, 226)]), *_both_sides(collar)], [view.shirt] * 3, depth=-0.6)
        canvas.paint(_both_sides(collar[[4, 3, 2]]), view.clothes * 0.6, 0.8, depth=-0.6, width=1.2)


def _double_chin(face):
    """Double_Chin: a bulge with a dark edge below the chin."""
    if face.has['Double_Chin']:
        bottom = face.head[:, 1].max()
        bulge = _symmetric((0, 160), (36, 162), (31, bottom + 3), (14, bottom + 13), (0, bottom + 14))
        face.canvas.paint([bulge], face.shadow * 0.6, depth=-0.6)
        face.canvas.paint([bulge + (0, -5)], face.skin * 0.97, depth=-0.6)


def _neckwear(face):
    """Wearing_Necktie; Wearing_Necklace: large beads."""
    canvas, view, neck = face.canvas, face.view, face.neck
    if face.has['Wearing_Necktie']:
        tie = np.array([(-11, 196), (11, 196), (7, 207), (17, 226), (-17, 226), (-7, 207)])
        canvas.paint([tie], view.tie, depth=-0.6)
        canvas.paint([tie[[2, 5]]], view.tie * 0.5, depth=-0.6, width=2)
    if face.has['Wearing_Necklace']:
        beads = _curve((-neck - 2, 186), (-neck * 0.75, 199), (0, 210), (neck * 0.75, 199), (neck + 2, 186), steps=4)
        canvas.paint([_ellipse(x, y, 4.4, 4.4) for x, y in beads], (70, 50, 20), depth=-0.6)
        canvas.paint([_ellipse(x, y, 3.4, 3.4) for x, y in beads], view.jewellery, depth=-0.6)


def _ears(face):
    x, size = face.width + 2, face.traits['ear']
    face.canvas.paint(_both_sides(_ellipse(x, 120, 7, 14 * size, -8)), face.skin * 0.88, depth=-0.8)
    face.canvas.paint(_both_sides(_ellipse(x + 1, 120, 3, 8 * size, -8)), face.shadow, 0.7, soft=1, depth=-0.8)


# In drawing order.
BEHIND_FACE = (_background, _back_hair, _body, _double_chin, _neckwear, _ears)
