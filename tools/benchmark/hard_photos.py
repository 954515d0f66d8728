"""Counts the faces that detectors find in photos made harder: turned, dark, blurred, gray, noisy, small.

The face of a photo is the largest that MTCNN detects in the original photo. It counts as found in the harder photo if
the mean of its landmarks is within half the eye distance of its expected position. Finally, 48 faces are cropped and
placed side by side.
"""

from functools import partial
from pathlib import Path

import cv2
import numpy as np

from imcnn_cli import between, make_parser, run_tool
from imcnn_plugin.apis import FaceDetector, MTCNNDetector, list_photos, read_photo
from imcnn_plugin.tables import aligned_lines

# Width of a face's box in eye distances.
BOX_WIDTH = 2.2


def turn(image, landmarks, degrees):
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    cosine, sine = np.abs(matrix[0, :2])
    size = int(height * sine + width * cosine), int(height * cosine + width * sine)
    matrix[:, 2] += size[0] / 2 - width / 2, size[1] / 2 - height / 2
    turned = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return turned, landmarks @ matrix[:, :2].T + matrix[:, 2]


def resize(image, landmarks, width):
    factor = width / (BOX_WIDTH * eye_distance(landmarks))
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=interpolation), (landmarks + 0.5) * factor - 0.5


def darken(image, landmarks, light):
    return (image * light).astype(np.uint8), landmarks


def blur(image, landmarks, sigma):
    return cv2.GaussianBlur(image, (0, 0), sigma * eye_distance(landmarks)), landmarks


def add_noise(image, landmarks, deviation):
    noise = np.random.default_rng(0).normal(0, deviation, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), landmarks


def compress(image, landmarks, quality):
    content = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(content, cv2.IMREAD_COLOR), landmarks


def make_gray(image, landmarks):
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), landmarks


def hide_below_nose(image, landmarks):
    hidden = image.copy()
    hidden[int(landmarks[2, 1] + 0.2 * eye_distance(landmarks)) :] = 128
    return hidden, landmarks


CHANGES = {
    'as taken': lambda image, landmarks: (image, landmarks),
    **{f'turned by {degrees} degrees': partial(turn, degrees=degrees) for degrees in (15, 30, 45, 60, 90, 135, 180)},
    **{f'{light:.0%} of the light': partial(darken, light=light) for light in (0.2, 0.1, 0.05)},
    **{f'blurred, sigma {sigma} of the eyes': partial(blur, sigma=sigma) for sigma in (0.05, 0.1, 0.15, 0.2)},
    'gray': make_gray,
    **{f'{width} pixels wide': partial(resize, width=width) for width in (40, 30, 24, 20, 16, 12)},
    **{f'noise of {deviation}': partial(add_noise, deviation=deviation) for deviation in (25, 50)},
    'JPEG, quality 10': partial(compress, quality=10),
    'gray below the nose': hide_below_nose,
}


def eye_distance(landmarks):
    return np.linalg.norm(landmarks[1] - landmarks[0])


def is_found(faces, landmarks):
    distances = [np.linalg.norm(face.landmarks.mean(0) - landmarks.mean(0)) for face in faces]
    return min(distances, default=np.inf) < eye_distance(landmarks) / 2


def make_crowd(known, width):
    """A grid of 48 faces of this width, eight per row."""
    tiles, side = [], int(width * 1.5)
    for image, landmarks in known:
        small, moved = resize(image, landmarks, width)
        left, top = (moved.mean(0) - side / 2).round().astype(int)
        matrix = np.array([[1, 0, -left], [0, 1, -top]], float)
        tiles.append(cv2.warpAffine(small, matrix, (side, side), borderValue=(128, 128, 128)))
    tiles = (tiles * 48)[:48]
    return np.vstack([np.hstack(tiles[row : row + 8]) for row in range(0, 48, 8)])


def main():
    parser = make_parser(__doc__, '--photos photos', '--photos photos --limit 20')
    parser.add_argument('--photos', required=True, metavar='DIR', type=Path, help='folder of photos')
    parser.add_argument(
        '--limit', type=between(1), default=67, metavar='N', help='number of photos; default %(default)s'
    )
    args = parser.parse_args()
    photos = list(list_photos(args.photos))
    detectors = dict(mtcnn=MTCNNDetector(), yunet=FaceDetector())
    known = []
    for path in photos[:: max(1, len(photos) // args.limit)][: args.limit]:
        if faces := detectors['mtcnn'](image := read_photo(path)):
            known.append((image, faces[0].landmarks))
    rows = [['change', 'faces', *detectors]]
    for name, change in CHANGES.items():
        found = dict.fromkeys(detectors, 0)
        for image, landmarks in known:
            harder, moved = change(image, landmarks)
            for detector, detect in detectors.items():
                found[detector] += is_found(detect(harder), moved)
        rows.append([name, str(len(known)), *map(str, found.values())])
        print(f'{name}: {found}', flush=True)
    for width in (40, 30, 24, 20, 16) if known else ():
        crowd = make_crowd(known, width)
        found = [min(48, len(detect(crowd))) for detect in detectors.values()]
        rows.append([f'48 in one, {width} pixels wide', '48', *map(str, found)])
    print('', *aligned_lines(rows, rules=[1]), sep='\n')


if __name__ == '__main__':
    run_tool(main)
