"""Fits to a checkpoint how the photos of one person are predicted together, for tools/infer.py --person-by."""

import argparse
import sys

from imcnn_plugin.apis import fit_album
from imcnn_plugin.errors import IMCNNError


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint file; its config names the data set')
    parser.add_argument('--out', default='album.json', help='what is fitted (default %(default)s)')
    parser.add_argument('--data-root', help="the data set's folder, in place of the config's")
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        album, gains = fit_album(args.checkpoint, args.data_root)
        album.save(args.out)
    except IMCNNError as error:
        sys.exit(f'error: {error}')
    passing = [name for name, lasts in zip(album.classes, album.lasting) if not lasts]
    print(f'{album.lasting.sum()} of {len(album.classes)} attributes last and are pooled; not {", ".join(passing)}')
    print('Accuracy on the test part in percent, of persons with so many images, and the 95 % interval of the gain:')
    for gain in gains:
        print(
            '  {min_images:>2} or more images: {persons:>4} persons, {images:>5} images, alone {alone:.2f}, '
            'together {together:.2f}, gain {difference:+.2f} ({low:+.2f} to {high:+.2f})'.format(**gain)
        )
    print(f'written to {args.out}')


if __name__ == '__main__':
    main()
