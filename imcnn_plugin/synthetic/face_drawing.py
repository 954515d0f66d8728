"""Draws faces that show all 40 attributes.

The coordinates are those of CelebA's aligned 178 x 218 pictures, with x counted from the midline of the face: the
eyes are at (-19.5, 111) and (19.5, 111), the tip of the nose at (0, 135), the corners of the mouth at (-16.5, 152)
and (16.5, 152). Colours are RGB in 0..255.
"""

from types import SimpleNamespace

import cv2
import numpy as np

WIDTH, HEIGHT, MIDLINE = 178, 218, 88.5
# Drawing at twice the size and averaging removes the stairs that cv2's own anti-aliasing leaves in thin parts.
SUPERSAMPLING = 2

HAIR_COLOURS = dict(
    Black_Hair=(28, 24, 26), Blond_Hair=(232, 196, 104), Brown_Hair=(104, 64, 34), Gray_Hair=(172, 174, 180)
)
RED_HAIR = (178, 62, 24)
CLOTHES = np.array([(40, 52, 84), (120, 34, 44), (50, 96, 80), (70, 70, 76), (180, 150, 60), (96, 60, 120)], float)
VIVID = np.array([(170, 24, 36), (24, 60, 160), (20, 110, 60), (110, 30, 130), (210, 120, 20)], float)


def _sample_view(rng):
    """What changes between the pictures of a person and has no label: pose, light, background, clothes, noise."""
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
        tie=VIVID[rng.integers(5)],
        frame=rng.choice([20, 60]),
        silver=rng.random() < 0.5,
        lipstick=np.array([rng.uniform(185, 215), rng.uniform(10, 30), rng.uniform(40, 90)]),
        eyeshadow=np.array([(120, 40, 150), (30, 90, 170), (20, 130, 130)], float)[rng.integers(3)],
        blur=rng.uniform(3.2, 4.2),
        noise=rng.standard_normal((HEIGHT, WIDTH, 1), np.float32) * rng.uniform(1, 4),
    )


class _Canvas:
    """Picture that shapes are blended into.

    Shapes are (N, 2) arrays of template coordinates; the canvas applies the pose. ``depth`` is the distance in front
    of the eyes, relative to the tip of the nose: where the head turns, parts of different depth move apart.
    """

    def __init__(self, view):
        self.size = np.array([WIDTH, HEIGHT]) * SUPERSAMPLING
        self.turn = view.turn
        angle = np.deg2rad(view.angle)
        self.zoom = view.scale * SUPERSAMPLING
        self.matrix = self.zoom * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        # The pose keeps the middle of the face in its place, as an alignment does.
        self.centre = np.array([0.0, 125.0])
        self.target = (np.array([MIDLINE, 125.0]) + view.shift) * SUPERSAMPLING
        top, bottom = view.background[..., None, None].astype(np.float32)
        ramp = np.linspace(0, 1, self.size[1], dtype=np.float32)[:, None]
        # One plane for each colour: numpy blends planes several times faster than interleaved pixels.
        self.planes = np.repeat(top + (bottom - top) * ramp, self.size[0], axis=2)

    def paint(self, shapes, colour, alpha=1.0, soft=0.0, depth=0.0, width=None, clip=None):
        """Blend closed shapes, or with ``width`` open lines, blurred by ``soft`` (both in pixels), within ``clip``."""
        x0, y0, mask = self._mask(shapes, soft, depth, width)
        if not mask.size:
            return
        rows, columns = slice(y0, y0 + mask.shape[0]), slice(x0, x0 + mask.shape[1])
        if clip is not None:
            mask = cv2.multiply(mask, clip[rows, columns], scale=1 / 255)
        weight = mask * np.float32(alpha / 255)
        region = self.planes[:, rows, columns]
        region += (np.asarray(colour, np.float32)[:, None, None] - region) * weight

    def clip(self, shapes, depth=0.0):
        """Mask of shapes, of the canvas' size, uint8 in 0..255."""
        mask = np.zeros(self.size[::-1], np.uint8)
        x0, y0, part = self._mask(shapes, 0, depth, None)
        mask[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] = part
        return mask

    def _mask(self, shapes, soft, depth, width):
        placed = [(shape + (self.turn * depth, 0) - self.centre) @ self.matrix.T + self.target for shape in shapes]
        corners = np.concatenate(placed)
        margin = 3 + (soft * 2 + (width or 0)) * self.zoom
        low = np.clip(np.floor(corners.min(0) - margin).astype(int), 0, self.size)
        high = np.clip(np.ceil(corners.max(0) + margin).astype(int), low, self.size)
        mask = np.zeros((high - low)[::-1], np.uint8)
        if mask.size:
            fixed = [np.round((points - low) * 16).astype(np.int32) for points in placed]
            if width:
                cv2.polylines(mask, fixed, False, 255, max(1, round(width * self.zoom)), cv2.LINE_AA, 4)
            else:
                for points in fixed:
                    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, 4)
            kernel = int(soft * self.zoom) | 1
            if kernel > 1:
                # Two box filters: close to a Gaussian, and as fast for wide blurs as for narrow ones.
                for _ in range(2):
                    mask = cv2.blur(mask, (kernel, kernel), borderType=cv2.BORDER_REPLICATE)
        return low[0], low[1], mask

    def finish(self, view, blurry):
        """Light, averaging, blur and noise: uint8 array (218, 178, 3)."""
        image = cv2.resize(cv2.merge(list(self.planes)), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        if blurry:
            image = cv2.GaussianBlur(image, (0, 0), view.blur)
        x, y = np.linspace(-1, 1, WIDTH)[None, :], np.linspace(-1, 1, HEIGHT)[:, None]
        light = (view.gain + view.light[0] * x + view.light[1] * y).astype(np.float32)
        image = image * light[..., None] * view.tint.astype(np.float32) + view.noise
        return np.clip(np.round(image), 0, 255).astype(np.uint8)


def _curve(*points, closed=False, steps=6):
    """Smooth (Catmull-Rom) line through points: array (N, 2)."""
    points = np.array(points, float)
    ends = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    padded = np.concatenate([ends[0], points, ends[1]])
    a, b, c, d = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    line = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    line = line.reshape(-1, 2)
    return line if closed else np.concatenate([line, points[-1:]])


def _ellipse(x, y, rx, ry, degrees=0):
    angle, tilt = np.linspace(0, 2 * np.pi, 24, endpoint=False), np.deg2rad(degrees)
    u, v = rx * np.cos(angle), ry * np.sin(angle)
    return np.stack([x + u * np.cos(tilt) - v * np.sin(tilt), y + u * np.sin(tilt) + v * np.cos(tilt)], 1)


def _both(shape):
    """A shape and its mirror image."""
    return [shape, shape * (-1, 1)]


def _round(*half):
    """Closed outline from points of its right half, top to bottom."""
    left = [(-x, y) for x, y in half[::-1] if x]
    return _curve(*half, *left, closed=True)


def _mix(colour, other, share):
    return np.asarray(colour, float) * (1 - share) + np.asarray(other, float) * share


def draw_face(traits, attributes, rng):
    """Draw one picture.

    Args:
        traits (dict): From :func:`sample_identity`.
        attributes (dict[str, bool]): All 40 names. Any combination can be drawn, also those that are never sampled.
        rng (numpy.random.Generator): Source of pose, light, background, clothes and noise. The same amount is taken
            from it whatever the attributes are.

    Returns:
        numpy.ndarray: uint8 (218, 178, 3), RGB.
    """
    view = _sample_view(rng)
    has = attributes
    skin = _mix((226, 172, 132), (112, 72, 48), traits['skin'] ** 1.3)
    if has['Pale_Skin']:
        skin = _mix((252, 232, 224), (246, 222, 214), traits['skin'])
    unnamed = HAIR_COLOURS['Brown_Hair'] if has['Bald'] else RED_HAIR
    hair = next((colour for name, colour in HAIR_COLOURS.items() if has[name]), unnamed)
    hair = np.clip(np.array(hair) * traits['hair_shade'], 0, 255)
    width = 43 + traits['face_width']
    face = SimpleNamespace(
        canvas=_Canvas(view),
        view=view,
        has=has,
        traits=traits,
        skin=skin,
        shadow=skin * (0.62, 0.54, 0.52),
        hair=hair,
        dark_hair=_mix(hair * 0.5, (30, 22, 20), 0.5),
        width=width,
        neck=33 if has['Male'] else 20,
    )
    face.head = _head(face)
    face.clip = face.canvas.clip([face.head], depth=-0.6)
    for part in (
        _background,
        _back_hair,
        _body,
        _double_chin,
        _neckwear,
        _ears,
        _skin,
        _cheeks,
        _age_and_skin_marks,
        _beard,
        _nose,
        _mouth,
        _eyes,
        _eyebrows,
        _front_hair,
        _eyeglasses,
        _earrings,
        _hat,
    ):
        part(face)
    return face.canvas.finish(view, has['Blurry'])


def _head(face):
    """Outline of the head: Oval_Face tapers to a long chin, otherwise the jaw is square; Chubby widens the cheeks."""
    has, width = face.has, face.width
    cheek, jaw, chin, bottom = (0.88, 0.63, 0.3, 187) if has['Oval_Face'] else (0.98, 0.9, 0.56, 179)
    if has['Chubby']:
        cheek, jaw, chin = cheek + 0.14, jaw + 0.2, chin + 0.12
    bottom += face.traits['chin']
    return _round(
        (0, 46),
        (24, 51),
        (width * 0.93, 76),
        (width, 104),
        (width * cheek, 136),
        (width * jaw, 157),
        (width * chin, bottom - 6),
        (0, bottom),
    )


def _background(face):
    for x, y, size in face.view.bokeh:
        colour = face.view.background[0] * 0.6 + 90 * size
        face.canvas.paint([_ellipse(x * 178 - 89, y * 180, 10 + 22 * size, 10 + 22 * size)], colour, 0.5, soft=4)


def _strands(face, clip, depth, bottom):
    """Straight_Hair: straight streaks; Wavy_Hair: waves; neither: plain."""
    has = face.has
    if not (has['Straight_Hair'] or has['Wavy_Hair']):
        return
    y = np.arange(30, bottom, 4.0)
    wave = 4.5 * np.sin(y / 3.6) if has['Wavy_Hair'] else 0
    # Combed from the parting: near it the lines are close together.
    fan, part = np.sqrt(0.02 + (y - 30) / 188), face.traits['parting']
    ends = np.linspace(-110, 110, 34) + face.traits['strands']
    lines = [np.stack([part * (1 - fan) + end * fan + wave, y], 1) for end in ends]
    face.canvas.paint(lines[::2], np.minimum(face.hair * 1.2 + 24, 255), 0.85, depth=depth, width=1.6, clip=clip)
    face.canvas.paint(lines[1::2], face.hair * 0.6, 0.85, depth=depth, width=1.6, clip=clip)


def _hair_outline(face):
    """Outside of the hair: right half, from the crown to the ends; Wavy_Hair stands off further."""
    has, length = face.has, face.traits['hair_length']
    volume = 7 if has['Straight_Hair'] else 15 if has['Wavy_Hair'] else 3
    w = face.width + volume
    top = 43 - volume
    if has['Male'] or not (has['Straight_Hair'] or has['Wavy_Hair']):
        return [(0, top), (w * 0.6, top + 6), (w * 0.96, 70), (w + 1, 98), (w - 3, 112 + 8 * length)]
    end = 176 + 45 * length
    return [(0, top), (w * 0.6, top + 6), (w * 0.98, 72), (w + 4, 108), (w + 7, 150), (w + 5, end)]


def _back_hair(face):
    """The hair behind the head, long for women; Straight_Hair, Wavy_Hair, or else tied to a bun (women)."""
    has = face.has
    if has['Bald']:
        return
    half = _hair_outline(face)
    shapes = [_round(*half, (0, half[-1][1]))]
    if has['Wavy_Hair']:
        shapes += [lump for x, y in _curve(*half, steps=3)[1:] for lump in _both(_ellipse(x - 3, y, 9, 9))]
    elif not has['Straight_Hair'] and not has['Male'] and not has['Wearing_Hat']:
        shapes.append(_ellipse(face.traits['side'] * 4, 34, 20, 15))
    face.canvas.paint(shapes, face.hair * 0.8, depth=-1)
    _strands(face, face.canvas.clip(shapes, depth=-1), depth=-1, bottom=half[-1][1] + 8)


def _body(face):
    """Neck and clothes: Male is broad, in a shirt, which Wearing_Necktie needs as well."""
    canvas, has, view = face.canvas, face.has, face.view
    neck = face.neck
    shoulder, slope = (100, 192) if has['Male'] else (74, 200)
    canvas.paint(
        [
            np.array(
                [
                    (-shoulder, 226),
                    (-shoulder * 0.9, 210),
                    (-neck, slope),
                    (neck, slope),
                    (shoulder * 0.9, 210),
                    (shoulder, 226),
                ]
            )
        ],
        view.clothes,
        depth=-0.6,
    )
    canvas.paint([_round((0, 150), (neck, 152), (neck, 192), (neck * 0.9 + 4, 202), (0, 214))], face.skin, depth=-0.6)
    canvas.paint(
        [_ellipse(0, face.head[:, 1].max() - 2, neck + 4, 12)],
        face.shadow,
        0.75,
        soft=3,
        depth=-0.6,
        clip=canvas.clip([_ellipse(0, 180, neck, 40)], depth=-0.6),
    )
    if has['Male'] or has['Wearing_Necktie']:
        collar = np.array([(neck - 6, 184), (neck + 4, 188), (30, 218), (20, 224), (2, 206)])
        canvas.paint([np.array([(-14, 226), (0, 204), (14, 226)]), *_both(collar)], [view.shirt] * 3, depth=-0.6)
        canvas.paint(_both(collar[[4, 3, 2]]), view.clothes * 0.6, 0.8, depth=-0.6, width=1.2)


def _double_chin(face):
    """Double_Chin: a bulge with a dark edge below the chin."""
    if face.has['Double_Chin']:
        bottom = face.head[:, 1].max()
        bulge = _round((0, 160), (36, 162), (31, bottom + 3), (14, bottom + 13), (0, bottom + 14))
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
        canvas.paint([_ellipse(x, y, 3.4, 3.4) for x, y in beads], _jewel(view), depth=-0.6)


def _jewel(view):
    return (238, 240, 246) if view.silver else (250, 206, 70)


def _ears(face):
    x, size = face.width + 2, face.traits['ear']
    face.canvas.paint(_both(_ellipse(x, 120, 7, 14 * size, -8)), face.skin * 0.88, depth=-0.8)
    face.canvas.paint(_both(_ellipse(x + 1, 120, 3, 8 * size, -8)), face.shadow, 0.7, soft=1, depth=-0.8)


def _skin(face):
    """The head in the skin's colour (Pale_Skin), darker towards its edge."""
    face.canvas.paint([face.head], face.skin * (0.8, 0.74, 0.72), depth=-0.6)
    inner = (face.head - (0, 118)) * 0.9 + (0, 117)
    face.canvas.paint([inner], face.skin, soft=5, depth=-0.4, clip=face.clip)
    face.canvas.paint([_ellipse(0, 84, 22, 10)], np.minimum(face.skin * 1.1, 255), 0.5, soft=5, clip=face.clip)


def _age_and_skin_marks(face):
    """Young: no wrinkles; Attractive: no freckles."""
    canvas, has = face.canvas, face.has
    if not has['Young']:
        forehead = [_curve((-25, y + 1), (-12, y - 2), (0, y), (12, y - 2), (25, y + 1)) for y in (66, 74, 82)]
        folds = _both(_curve((15, 138), (24, 147), (28, 158), (25, 170)))
        feet = [line for y in (-5, 0, 5) for line in _both(np.array([(34, 113 + y * 0.3), (43, 113 + y * 1.6)]))]
        canvas.paint(forehead + folds, face.shadow * 0.75, 0.85, width=3, clip=face.clip)
        canvas.paint(feet, face.shadow * 0.75, 0.85, width=2, clip=face.clip)
    if not has['Attractive']:
        places = [(x, y) for x in (-35, -27, -18, 18, 27, 35) for y in (126, 135)] + face.traits['freckles']
        canvas.paint([_ellipse(x, y, 2.8, 2.6) for x, y in places], face.skin * (0.55, 0.36, 0.3), 0.9, clip=face.clip)


def _cheeks(face):
    """High_Cheekbones: light bones above dark hollows; Rosy_Cheeks: red discs; Chubby: bulging lower cheeks."""
    canvas, has = face.canvas, face.has
    if has['Chubby']:
        canvas.paint(_both(_ellipse(34, 144, 13, 13)), np.minimum(face.skin * 1.12, 255), 0.8, soft=3, clip=face.clip)
    if has['Rosy_Cheeks']:
        canvas.paint(_both(_ellipse(27, 135, 11, 9)), (236, 74, 92), 0.7, soft=2.5, clip=face.clip)
    if has['High_Cheekbones']:
        hollow = np.array([(47, 126), (50, 144), (27, 160), (23, 150)])
        canvas.paint(_both(hollow), face.shadow * 0.8, 0.9, soft=1.5, clip=face.clip)
        canvas.paint(
            _both(_ellipse(31, 129, 14, 5.5, -30)),
            np.minimum(face.skin * 1.25 + 25, 255),
            0.95,
            soft=1,
            clip=face.clip,
        )


def _beard(face):
    """5_o_Clock_Shadow, Goatee, Mustache, Sideburns; No_Beard unless one of these or, without them, a full beard."""
    canvas, has = face.canvas, face.has
    colour, bottom = face.dark_hair, face.head[:, 1].max() + 4
    jaw = np.concatenate(
        [
            _curve((-60, 128), (-34, 144), (-18, 145), (0, 141), (18, 145), (34, 144), (60, 128)),
            [(60, bottom), (-60, bottom)],
        ]
    )
    styles = [has[name] for name in ('5_o_Clock_Shadow', 'Goatee', 'Mustache', 'Sideburns')]
    if has['5_o_Clock_Shadow']:
        canvas.paint([jaw], _mix(face.skin * 0.4, (52, 62, 74), 0.6), 0.62, soft=2, depth=-0.3, clip=face.clip)
    if not has['No_Beard'] and not any(styles):
        canvas.paint([jaw], colour, 0.95, soft=1, depth=-0.3, clip=face.clip)
    if has['Goatee']:
        canvas.paint([_round((0, 162), (13, 163), (17, 172), (12, bottom), (0, bottom + 5))], colour, 0.95, soft=0.5)
    if has['Mustache']:
        canvas.paint(
            [_round((0, 138), (14, 139), (28, 149), (31, 161), (20, 151), (0, 149))], colour, 0.97, soft=0.4, depth=0.3
        )
    if has['Sideburns']:
        w = face.width
        burn = np.array([(w - 8, 92), (w + 6, 92), (w + 8, 146), (w - 16, 152), (w - 12, 136)])
        canvas.paint(_both(burn), colour, 0.95, soft=0.5, depth=-0.6, clip=face.clip)


def _nose(face):
    """Big_Nose: wide with large wings; Pointy_Nose: a sharp long tip."""
    canvas, skin, shadow = face.canvas, face.skin, face.shadow
    size = 2.1 if face.has['Big_Nose'] else 1
    y = 133 + face.traits['nose_length'] * 0.6
    canvas.paint(_both(_curve((5, 104), (5, 116), (7 * size, y - 6))), shadow, 0.5, soft=1, depth=0.5, width=2)
    canvas.paint([_ellipse(0, 118, 2.6, 14)], np.minimum(skin * 1.15, 255), 0.7, soft=1.2, depth=0.7)
    wings = _both(_ellipse(8 * size, y, 3.4 * size, 3.8 * size))
    canvas.paint([wing * (1.06, 1) + (0, 1.5) for wing in wings], shadow * 0.75, 0.9, soft=0.4, depth=0.9)
    canvas.paint([_ellipse(0, y + 1.5, 8 * size, 6.5 * size**0.5)], shadow * 0.75, 0.9, soft=0.4, depth=0.9)
    canvas.paint(wings + [_ellipse(0, y - 1.5, 7 * size, 6 * size**0.5)], np.minimum(skin * 1.04, 255), depth=1)
    if face.has['Big_Nose'] or not face.has['Pointy_Nose']:
        nostrils = _both(_ellipse(5.5 * size, y + 3, 2.2 * size, 1.6 * size))
        canvas.paint(nostrils, shadow * 0.4, depth=0.9)
    if face.has['Pointy_Nose']:
        tip = np.array([(-9, y - 1), (0, y - 28), (9, y - 1), (0, y + 14)])
        canvas.paint([tip], np.minimum(skin * 1.25 + 20, 255), depth=1.2)
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
    canvas.paint(
        [np.concatenate([line(gap * 0.65 + lower * 0.35)[5:12], line(gap * 0.65 + lower * 0.6)[11:4:-1]])],
        np.minimum(lips * 1.2 + 20, 255),
        0.6,
        soft=0.5,
        depth=0.4,
    )
    if gap:
        inside = np.concatenate([inner_top, inner_bottom[::-1]])
        canvas.paint([inside], (62, 14, 18), depth=0.4)
        teeth = np.concatenate([inner_top[2:-2], (inner_top * 0.4 + inner_bottom * 0.6)[-3:1:-1]])
        canvas.paint([teeth], (248, 244, 236), depth=0.4)
    else:
        canvas.paint([line(0)], lips * 0.4, depth=0.4, width=1.4)
    if smile:
        dimples = _both(_curve((half, 135), (half + 5, 142), (half + 2, 150)))
        canvas.paint(dimples, face.shadow * 0.8, 0.9, depth=0.3, width=2.2)


def _eyes(face):
    for side in (-1, 1):
        _eye(face, side)


def _eye(face, side):
    """Narrow_Eyes, Bags_Under_Eyes, Heavy_Makeup (coloured lids and eyeliner); Attractive: larger, with lashes."""
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
    canvas.paint([_ellipse(x, 110.5, 6, 6.4)], traits['eye_colour'], clip=opening)
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
    face.canvas.paint(_both(brow), face.dark_hair, 0.95, soft=0.3, width=width)


def _front_hair(face):
    """The hair over the forehead: hair colours, Receding_Hairline, Bangs; Bald: a shine instead of hair."""
    canvas, has, w = face.canvas, face.has, face.width
    if has['Bald']:
        canvas.paint([_ellipse(-10, 60, 14, 6, -15)], np.minimum(face.skin * 1.35 + 25, 255), 0.9, soft=2, depth=0.2)
        return
    outer = _hair_outline(face)
    ends = outer[-1][1] if outer[-1][1] < 130 else 150
    outer = [point for point in outer if point[1] < ends] + [(w + 1, ends - 1)]
    part = face.traits['parting']
    if has['Receding_Hairline']:
        side = [(w - 1, 104), (w - 5, 82), (37, 54), (22, 47), (6, 58)]
        inner = side + [(-x, y) for x, y in side[::-1]]
    else:
        inner = [(w - 2, 108), (w - 7, 90), (28, 77), (part, 68), (-28, 77), (-w + 7, 90), (-w + 2, 108)]
    outside = _curve(*[(-x, y) for x, y in outer[:0:-1]], *outer)
    shapes = [np.concatenate([outside, _curve(*inner)])]
    if has['Wavy_Hair']:
        shapes += [lump for x, y in _curve(*outer, steps=3)[1:-2] for lump in _both(_ellipse(x - 2, y, 8, 8))]
    if has['Bangs']:
        x = np.linspace(-w + 3, w - 3, 17)
        fringe = np.stack([x, 90 + 5 * (np.arange(17) % 2) - 0.004 * (x - part) ** 2], 1)
        shapes.append(np.concatenate([_curve((w - 2, 78), (20, 48), (-20, 48), (-w + 2, 78)), fringe]))
    canvas.paint([shape + (0, 2.5) for shape in shapes], face.shadow, 0.5, soft=1.5, depth=-0.4, clip=face.clip)
    canvas.paint(shapes, face.hair, depth=-0.4)
    clip = canvas.clip(shapes, depth=-0.4)
    shine = np.minimum(face.hair * 1.3 + 25, 255)
    canvas.paint([_ellipse(-12, 56, 26, 6, -12)], shine, 0.5, soft=3, depth=-0.4, clip=clip)
    _strands(face, clip, depth=-0.4, bottom=116)


def _eyeglasses(face):
    """Eyeglasses: round dark frames."""
    if face.has['Eyeglasses']:
        lenses = _both(_ellipse(20, 111, 17, 13.5))
        rims = [np.concatenate([lens, lens[:1]]) for lens in lenses]
        face.canvas.paint(lenses, (220, 232, 244), 0.16, depth=0.3)
        bars = [_curve((-4, 108), (0, 106), (4, 108)), *_both(np.array([(37, 108), (face.width + 2, 106)]))]
        face.canvas.paint(rims + bars, [face.view.frame] * 3, depth=0.3, width=3.6)


def _earrings(face):
    """Wearing_Earrings: large drops below the ears, over the hair."""
    if face.has['Wearing_Earrings']:
        drops = _both(_ellipse(face.width + 5, 144, 7, 10))
        face.canvas.paint(drops, (60, 44, 24), depth=-0.8)
        face.canvas.paint(_both(_ellipse(face.width + 5, 144, 5.6, 8.6)), _jewel(face.view), depth=-0.8)


def _hat(face):
    """Wearing_Hat: covers the crown, leaves the hair at the sides and a fringe."""
    if face.has['Wearing_Hat']:
        canvas, w, colour = face.canvas, face.width + (16 if face.has['Wavy_Hair'] else 9), face.view.hat
        dome = _curve((-w, 82), (-w * 0.92, 44), (-w * 0.5, 20), (0, 16), (w * 0.5, 20), (w * 0.92, 44), (w, 82))
        canvas.paint([dome], colour, depth=-0.4)
        canvas.paint([_ellipse(-18, 38, 14, 9, -30)], np.minimum(colour * 1.4 + 20, 255), 0.6, soft=5, depth=-0.4)
        canvas.paint([np.array([(-w, 68), (w, 68), (w + 1, 82), (-w - 1, 82)])], colour * 0.45, depth=-0.4)
        canvas.paint([_ellipse(0, 83, w + face.view.brim, 6)], colour * 0.8, depth=-0.3)
