"""Draws pictures of shapes and writes their labels into a CSV file: a data set to try own labels with.

python draw_shapes.py --out shapes
"""

import argparse
import csv
from pathlib import Path

import cv2
import numpy as np

LABELS = ('tilted', 'hollow', 'red', 'blue', 'striped', 'large')
# Blue, green, red.
COLORS = dict(red=(40, 40, 220), blue=(220, 90, 40), green=(60, 190, 90))
SIDE = 64


def draw(rng):
    """One picture, uint8 BGR ``(SIDE, SIDE, 3)``, and its labels, 0 or 1 for each name."""
    color = rng.choice(list(COLORS))
    labels = dict.fromkeys(LABELS, 0)
    labels.update(red=int(color == 'red'), blue=int(color == 'blue'))
    labels.update({name: int(rng.random() < 0.5) for name in ('tilted', 'hollow', 'striped', 'large')})
    size = rng.integers(22, 28) if labels['large'] else rng.integers(12, 16)
    x, y = rng.integers(size, SIDE - size, 2).tolist()

    mask = np.zeros((SIDE, SIDE), np.uint8)
    for radius, value in ((int(size), 255), (int(size) // 2, 0 if labels['hollow'] else 255)):
        corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        if labels['tilted']:
            corners = np.array([(-1, 0), (0, -1), (1, 0), (0, 1)])
        cv2.fillPoly(mask, [(x, y) + radius * corners], value)
    picture = np.full((SIDE, SIDE, 3), rng.integers(90, 200), np.uint8)
    picture[mask > 0] = COLORS[color]
    if labels['striped']:
        stripes = np.arange(SIDE)[:, None] // 3 % 2 == 0
        picture[(mask > 0) & stripes] = 245
    noise = rng.normal(0, 8, picture.shape)
    return (picture + noise).clip(0, 255).astype(np.uint8), labels


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, default=Path('shapes'), help='folder for pictures and labels.csv')
    parser.add_argument('--images', type=int, default=1500, help='number of pictures')
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    (args.out / 'pictures').mkdir(parents=True, exist_ok=True)
    with (args.out / 'labels.csv').open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(['image', 'part', *LABELS])
        for i in range(args.images):
            picture, labels = draw(rng)
            cv2.imwrite(str(args.out / 'pictures' / f'{i:05d}.png'), picture)
            # Of ten pictures seven are to train, one to validate and two to test.
            part = 'train' if i % 10 < 7 else 'val' if i % 10 == 7 else 'test'
            # One training label in five is left empty: unknown.
            unknown = rng.random(len(LABELS)) < (0.2 if part == 'train' else 0)
            values = ['' if unknown[j] else labels[name] for j, name in enumerate(LABELS)]
            writer.writerow([f'{i:05d}.png', part, *values])
    print(f'{args.images} pictures and labels.csv are in {args.out}')


if __name__ == '__main__':
    main()
