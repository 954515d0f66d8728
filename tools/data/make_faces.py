"""Draw a set of faces in CelebA's layout, with all 40 attributes and identities."""

import argparse
import sys

from imcnn_plugin.errors import IMCNNError
from imcnn_plugin.synthetic.write_faces import write_faces


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', required=True, help='new or empty folder')
    parser.add_argument('--identities', type=int, default=200, help='number of people (default: %(default)s)')
    parser.add_argument('--images', type=int, default=20, help='pictures of each person (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='same seed, same bytes (default: %(default)s)')
    parser.add_argument(
        '--label-noise', type=float, default=0.0, metavar='P', help='share of training labels that are turned over'
    )
    parser.add_argument('--jobs', type=int, help='number of processes (default: all cores, or 1 for a small set)')
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        write_faces(args.out, args.identities, args.images, args.seed, args.jobs, args.label_noise)
    except IMCNNError as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        sys.exit(f'\nstopped: remove {args.out}')


if __name__ == '__main__':
    main()
