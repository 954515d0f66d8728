"""Skin, facial features and accessories of a synthetic face."""

import numpy as np

from .canvas import _both_sides, _curve, _ellipse, _lighten, _mix, _symmetric


def _skin(face):
    """The head in the skin color (Pale_Skin), darker towards its edge."""
    face.canvas.paint([face.head], face.skin * (0.8, 0.74, 0.72), depth=-0.6)
    inner = (face.head - (0, 118)) * 0.9 + (0, 117)
    face.canvas.paint([inner], face.skin, soft=5, depth=-0.4, clip=face.clip)
    face.canvas.paint([_ellipse(0, 84, 22, 10)], _lighten(face.skin, 1.1), 0.5, soft=5, clip=face.clip)


def _cheeks(face):
    """High_Cheekbones: light bones above dark hollows; Rosy_Cheeks: red discs; Chubby: bulging lower cheeks."""
    canvas, has = face.canvas, face.has
    if has['Chubby']:
        canvas.paint(_both_sides(_ellipse(34, 144, 13, 13)), _lighten(face.skin, 1.12), 0.8, soft=3, clip=face.clip)
    if has['Rosy_Cheeks']:
        canvas.paint(_both_sides(_ellipse(27, 135, 11, 9)), (236, 74, 92), 0.7, soft=2.5, clip=face.clip)
    if has['High_Cheekbones']:
        hollow = np.array([(47, 126), (50, 144), (27, 160), (23, 150)])
        canvas.paint(_both_sides(hollow), face.shadow * 0.8, 0.9, soft=1.5, clip=face.clip)
        bones = _both_sides(_ellipse(31, 129, 14, 5.5, -30))
        canvas.paint(bones, _lighten(face.skin, 1.25, 25), 0.95, soft=1, clip=face.clip)


def _wrinkles_and_freckles(face):
    """Young: no wrinkles; Attractive: no freckles."""
    canvas, has = face.canvas, face.has
    if not has['Young']:
        forehead = [_curve((-25, y + 1), (-12, y - 2), (0, y), (12, y - 2), (25, y + 1)) for y in (66, 74, 82)]
        folds = _both_sides(_curve((15, 138), (24, 147), (28, 158), (25, 170)))
        canvas.paint(forehead + folds, face.shadow * 0.75, 0.85, width=3, clip=face.clip)
        rays = [np.array([(34, 113 + y * 0.3), (43, 113 + y * 1.6)]) for y in (-5, 0, 5)]
        crow_feet = [line for ray in rays for line in _both_sides(ray)]
        canvas.paint(crow_feet, face.shadow * 0.75, 0.85, width=2, clip=face.clip)
    if not has['Attractive']:
        places = [(x, y) for x in (-35, -27, -18, 18, 27, 35) for y in (126, 135)] + face.traits['freckles']
        canvas.paint([_ellipse(x, y, 2.8, 2.6) for x, y in places], face.skin * (0.55, 0.36, 0.3), 0.9, clip=face.clip)


def _beard(face):
    """5_o_Clock_Shadow, Goatee, Mustache, Sideburns; with none of these and without No_Beard, a full beard."""
    canvas, has = face.canvas, face.has
    color, bottom = face.dark_hair, face.head[:, 1].max() + 4
    edge = _curve((-60, 128), (-34, 144), (-18, 145), (0, 141), (18, 145), (34, 144), (60, 128))
    jaw = np.concatenate([edge, [(60, bottom), (-60, bottom)]])
    if has['5_o_Clock_Shadow']:
        canvas.paint([jaw], _mix(face.skin * 0.4, (52, 62, 74), 0.6), 0.62, soft=2, depth=-0.3, clip=face.clip)
    if not has['No_Beard'] and not any(has[name] for name in ('5_o_Clock_Shadow', 'Goatee', 'Mustache', 'Sideburns')):
        canvas.paint([jaw], color, 0.95, soft=1, depth=-0.3, clip=face.clip)
    if has['Goatee']:
        goatee = _symmetric((0, 162), (13, 163), (17, 172), (12, bottom), (0, bottom + 5))
        canvas.paint([goatee], color, 0.95, soft=0.5)
    if has['Mustache']:
        mustache = _symmetric((0, 138), (14, 139), (28, 149), (31, 161), (20, 151), (0, 149))
        canvas.paint([mustache], color, 0.97, soft=0.4, depth=0.3)
    if has['Sideburns']:
        w = face.width
        burn = np.array([(w - 8, 92), (w + 6, 92), (w + 8, 146), (w - 16, 152), (w - 12, 136)])
        canvas.paint(_both_sides(burn), color, 0.95, soft=0.5, depth=-0.6, clip=face.clip)


def _nose(face):
    """Big_Nose: wide with large wings; Pointy_Nose: a sharp long tip."""
    canvas, skin, shadow = face.canvas, face.skin, face.shadow
    size = 2.1 if face.has['Big_Nose'] else 1
    y = 133 + face.traits['nose_length'] * 0.6
    bridge = _both_sides(_curve((5, 104), (5, 116), (7 * size, y - 6)))
    canvas.paint(bridge, shadow, 0.5, soft=1, depth=0.5, width=2)
    canvas.paint([_ellipse(0, 118, 2.6, 14)], _lighten(skin, 1.15), 0.7, soft=1.2, depth=0.7)
    wings = _both_sides(_ellipse(8 * size, y, 3.4 * size, 3.8 * size))
    canvas.paint([wing * (1.06, 1) + (0, 1.5) for wing in wings], shadow * 0.75, 0.9, soft=0.4, depth=0.9)
    canvas.paint([_ellipse(0, y + 1.5, 8 * size, 6.5 * size**0.5)], shadow * 0.75, 0.9, soft=0.4, depth=0.9)
    canvas.paint([*wings, _ellipse(0, y - 1.5, 7 * size, 6 * size**0.5)], _lighten(skin, 1.04), depth=1)
    if face.has['Big_Nose'] or not face.has['Pointy_Nose']:
        nostrils = _both_sides(_ellipse(5.5 * size, y + 3, 2.2 * size, 1.6 * size))
        canvas.paint(nostrils, shadow * 0.4, depth=0.9)
    if face.has['Pointy_Nose']:
        tip = np.array([(-9, y - 1), (0, y - 28), (9, y - 1), (0, y + 14)])
        canvas.paint([tip], _lighten(skin, 1.25, 20), depth=1.2)
        canvas.paint([tip[1:]], shadow * 0.9, 0.85, depth=1.2)
        canvas.paint([tip[[0, 3, 2]]], shadow * 0.5, 0.9, depth=1.2, width=2)


def _mouth(face):
    """Smiling: raised corners; Mouth_Slightly_Open: teeth; Big_Lips: thick; Wearing_Lipstick: crimson."""
    canvas, has = face.canvas, face.has
    smile, tilt = has['Smiling'], 0 if has['Attractive'] else 2.5 * face.traits['side']
    half = (23 if smile else 15) + face.traits['mouth_width']
    corner, middle, gap = (143, 157, 10) if smile else (154, 152, 9)
    gap = gap if has['Mouth_Slightly_Open'] else 0
    upper, lower = (10.5, 12.5) if has['Big_Lips'] else (3.4, 4)
    x = np.linspace(-1, 1, 17)
    arch = 1 - x**2

    def line(offset):
        return np.stack([x * half, corner + tilt * x + (middle - corner) * arch + offset], 1)

    bow = 1 - 0.35 * np.exp(-((x / 0.12) ** 2))
    top, inner_top = line(-(upper * bow + gap * 0.35) * arch), line(-gap * 0.35 * arch)
    inner_bottom, bottom = line(gap * 0.65 * arch), line((gap * 0.65 + lower) * arch**0.8)
    lips = face.view.lipstick if has['Wearing_Lipstick'] else face.skin * (0.82, 0.58, 0.56)
    canvas.paint([np.concatenate([top, bottom[::-1]])], lips, depth=0.4)
    highlight = np.concatenate([line(gap * 0.65 + lower * 0.35)[5:12], line(gap * 0.65 + lower * 0.6)[11:4:-1]])
    canvas.paint([highlight], _lighten(lips, 1.2, 20), 0.6, soft=0.5, depth=0.4)
    if gap:
        canvas.paint([np.concatenate([inner_top, inner_bottom[::-1]])], (62, 14, 18), depth=0.4)
        teeth = np.concatenate([inner_top[2:-2], (inner_top * 0.4 + inner_bottom * 0.6)[-3:1:-1]])
        canvas.paint([teeth], (248, 244, 236), depth=0.4)
    else:
        canvas.paint([line(0)], lips * 0.4, depth=0.4, width=1.4)
    if smile:
        dimples = _both_sides(_curve((half, 135), (half + 5, 142), (half + 2, 150)))
        canvas.paint(dimples, face.shadow * 0.8, 0.9, depth=0.3, width=2.2)


def _eyes(face):
    for side in (-1, 1):
        _eye(face, side)


def _eye(face, side):
    """Narrow_Eyes, Bags_Under_Eyes, Heavy_Makeup (colored lids and eyeliner); Attractive: larger, with lashes."""
    canvas, has, traits = face.canvas, face.has, face.traits
    half = 13 if has['Attractive'] else 10
    height = (2 if has['Narrow_Eyes'] else 7.5) * (1.15 if has['Attractive'] else 1)
    x = side * (19.5 + traits['eye_gap'])

    def at(*points):
        return np.array(points, float) * (side, 1) + (x, 111)

    if has['Heavy_Makeup']:
        lid = _curve(*at((-half - 1, 2), (-half + 1, -8), (0, -14), (half + 3, -11), (half + 6, -2)))
        canvas.paint([lid], face.view.eyeshadow, 0.85, soft=1)
    if has['Bags_Under_Eyes']:
        bag = at((-half, 6), (0, 9), (half, 6), (half, 13), (0, 18), (-half, 13))
        canvas.paint([_curve(*bag, closed=True)], face.shadow * (0.66, 0.56, 0.9), 0.9, soft=0.7)
    arch = _curve((-half, 1), (-half * 0.5, -height * 0.8), (0, -height), (half * 0.6, -height * 0.8), (half, -1))
    upper = at(*arch)
    lower = at(*(arch[::-1] * (1, -0.75)))
    eye = np.concatenate([upper, lower])
    opening = canvas.clip([eye])
    canvas.paint([eye], (246, 244, 242))
    canvas.paint([_ellipse(x, 110.5, 6, 6.4)], traits['eye_color'], clip=opening)
    canvas.paint([_ellipse(x, 110.5, 2.8, 3)], (16, 12, 12), clip=opening)
    canvas.paint([_ellipse(x - 1.8, 108.6, 1.2, 1.2)], (255, 255, 255), clip=opening)
    canvas.paint([upper], (36, 22, 20), width=3 if has['Heavy_Makeup'] else 1.8)
    canvas.paint([lower], (36, 22, 20) if has['Heavy_Makeup'] else face.shadow, 0.8, width=1.2)
    if has['Attractive']:
        lashes = [
            at((half * u, -height * v), (half * u + 4 * u + 1, -height * v - 4.5))
            for u, v in ((0.4, 0.9), (0.75, 0.6), (1, 0.1))
        ]
        canvas.paint(lashes, (30, 18, 18), width=1.5)


def _eyebrows(face):
    """Bushy_Eyebrows: thick; Arched_Eyebrows: a high arch, otherwise flat."""
    y = 96 - face.traits['brow_height']
    points = [(-12, 3), (2, -11), (15, 4)] if face.has['Arched_Eyebrows'] else [(-11, 1), (1, -0.5), (13, 0)]
    width = 8.5 if face.has['Bushy_Eyebrows'] else 2.8
    brow = _curve(*(np.array(points, float) + (19.5 + face.traits['eye_gap'], y)))
    face.canvas.paint(_both_sides(brow), face.dark_hair, 0.95, soft=0.3, width=width)


def _eyeglasses(face):
    """Eyeglasses: round dark frames."""
    if face.has['Eyeglasses']:
        lenses = _both_sides(_ellipse(20, 111, 17, 13.5))
        face.canvas.paint(lenses, (220, 232, 244), 0.16, depth=0.3)
        rims = [np.concatenate([lens, lens[:1]]) for lens in lenses]
        bars = [_curve((-4, 108), (0, 106), (4, 108)), *_both_sides(np.array([(37, 108), (face.width + 2, 106)]))]
        face.canvas.paint(rims + bars, [face.view.frame] * 3, depth=0.3, width=3.6)


def _earrings(face):
    """Wearing_Earrings: large drops below the ears, over the hair."""
    if face.has['Wearing_Earrings']:
        x = face.width + 5
        face.canvas.paint(_both_sides(_ellipse(x, 144, 7, 10)), (60, 44, 24), depth=-0.8)
        face.canvas.paint(_both_sides(_ellipse(x, 144, 5.6, 8.6)), face.view.jewellery, depth=-0.8)


def _hat(face):
    """Wearing_Hat: covers the crown, leaves the hair at the sides and a fringe."""
    if face.has['Wearing_Hat']:
        canvas, w, color = face.canvas, face.width + (16 if face.has['Wavy_Hair'] else 9), face.view.hat
        dome = _curve((-w, 82), (-w * 0.92, 44), (-w * 0.5, 20), (0, 16), (w * 0.5, 20), (w * 0.92, 44), (w, 82))
        canvas.paint([dome], color, depth=-0.4)
        canvas.paint([_ellipse(-18, 38, 14, 9, -30)], _lighten(color, 1.4, 20), 0.6, soft=5, depth=-0.4)
        canvas.paint([np.array([(-w, 68), (w, 68), (w + 1, 82), (-w - 1, 82)])], color * 0.45, depth=-0.4)
        canvas.paint([_ellipse(0, 83, w + face.view.brim, 6)], color * 0.8, depth=-0.3)


# In drawing order; the front hair is drawn between the two.
FEATURES = (_skin, _cheeks, _wrinkles_and_freckles, _beard, _nose, _mouth, _eyes, _eyebrows)
ACCESSORIES = (_eyeglasses, _earrings, _hat)
