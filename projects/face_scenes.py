"""Draws what the configs of mmseg/, mmpose/ and mmaction2/ train on: small scenes with one drawn face in each.

python tools/data/make_faces.py --out data/faces --identities 200 --images 8
python projects/face_scenes.py data/faces --out data/scenes
"""

import argparse
import json
import shutil
from pathlib import Path

import cv2
import numpy as np

from imcnn_plugin.attributes import ATTRIBUTES, IDENTITY_STABLE
from imcnn_plugin.datasets import CelebAIdentity

SIDE = 112
# In an aligned face of 178 x 218 pixels: the landmarks, and center and half axes of the head.
LANDMARKS = np.array([(70, 111), (108, 111), (89, 135), (74, 152), (104, 152)], float)
HEAD = ((89, 115), (46, 70))
SKELETON = dict(id=1, name='face', keypoints=['left_eye', 'right_eye', 'nose', 'mouth_left', 'mouth_right'])


def draw_scene(face, rng):
    """Places a face ``(218, 178, 3)`` on a plain scene ``(SIDE, SIDE, 3)``.

    Returns:
        The scene; its mask ``(SIDE, SIDE)``, 1 for the head and 0 elsewhere; the landmarks ``(5, 2)`` and the box
        ``(x, y, width, height)`` of the head, in pixels.
    """
    scale = rng.uniform(0.36, 0.5)
    left, top = rng.uniform(0, SIDE - scale * np.array([178, 218]))
    matrix = np.array([(scale, 0, left), (0, scale, top)])
    scene = np.full((SIDE, SIDE, 3), rng.integers(40, 216, 3), np.uint8)
    cv2.warpAffine(face, matrix, (SIDE, SIDE), dst=scene, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT)
    center, axes = (scale * np.array(value) for value in HEAD)
    center += left, top
    mask = cv2.ellipse(np.zeros((SIDE, SIDE), np.uint8), (center, 2 * axes, 0), 1, -1)
    return scene, mask, LANDMARKS * scale + (left, top), (*(center - axes), *(2 * axes))


def write_scenes(faces, out):
    """Writes the scenes of a dataset in CelebA's layout, in the same layout, and what the projects need beside it.

    - ``img_align_celeba/*.jpg``, ``masks/*.png`` and CelebA's lists, for mmsegmentation;
    - ``train.json``, ``val.json`` and ``test.json`` in COCO's format, with ``attributes`` in annotations, for mmpose;
    - ``frames/<identity>/img_00001.jpg`` ..., and ``train.txt``, ``val.txt`` and ``test.txt`` of these folders, their
      numbers of frames and the indices of their positive attributes in ``IDENTITY_STABLE``, for mmaction2.
    """
    faces, out = Path(faces), Path(out)
    (out / 'img_align_celeba').mkdir(parents=True)
    (out / 'masks').mkdir()
    for path in faces.glob('*.txt'):
        shutil.copy(path, out)
    rng = np.random.default_rng(0)
    stable = [ATTRIBUTES.index(name) for name in IDENTITY_STABLE]
    for split in ('train', 'val', 'test'):
        images, annotations, videos = [], [], {}
        for number, record in enumerate(CelebAIdentity(str(faces), split).data_list, 1):
            path, score = Path(record['img_path']), record['gt_score']
            scene, mask, landmarks, box = draw_scene(cv2.imread(str(path)), rng)
            cv2.imwrite(str(out / 'img_align_celeba' / path.name), scene)
            cv2.imwrite(str(out / 'masks' / f'{path.stem}.png'), mask)
            images.append(dict(id=number, file_name=path.name, width=SIDE, height=SIDE))
            points = np.insert(landmarks, 2, 2, axis=1).round(1).ravel().tolist()
            annotations.append(
                dict(id=number, image_id=number, category_id=1, bbox=np.round(box, 1).tolist(), iscrowd=0,
                     area=round(box[2] * box[3], 1), keypoints=points, num_keypoints=5, attributes=score.tolist())
            )  # fmt: skip
            video = videos.setdefault(record['identity'], dict(frames=0, labels=np.flatnonzero(score[stable])))
            video['frames'] += 1
            folder = out / 'frames' / str(record['identity'])
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f'img_{video["frames"]:05d}.jpg'), scene)
        content = dict(images=images, annotations=annotations, categories=[SKELETON])
        (out / f'{split}.json').write_text(json.dumps(content))
        lines = [' '.join(map(str, (name, video['frames'], *video['labels']))) for name, video in videos.items()]
        (out / f'{split}.txt').write_text('\n'.join(lines) + '\n')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('faces', help='what tools/data/make_faces.py wrote')
    parser.add_argument('--out', required=True, help='new folder')
    args = parser.parse_args()
    write_scenes(args.faces, args.out)
