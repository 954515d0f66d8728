"""Draws a dataset of synthetic faces in CelebA's layout, with all 40 attributes and identities."""

import argparse

from imcnn_cli import between, run_tool


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', required=True, help='new or empty folder')
    parser.add_argument(
        '--identities', type=between(1), default=200, help='number of identities (default: %(default)s)'
    )
    parser.add_argument('--images', type=between(1), default=20, help='images per identity (default: %(default)s)')
    parser.add_argument('--seed', type=between(0), default=0, help='same seed, same bytes (default: %(default)s)')
    parser.add_argument(
        '--label-noise',
        type=between(0, 1, float),
        default=0.0,
        metavar='P',
        help='probability that a training label is flipped',
    )
    parser.add_argument(
        '--jobs', type=between(1, 1024), help='number of processes (default: all cores, or 1 for a small dataset)'
    )
    return parser.parse_args()


def main(args):
    from imcnn_plugin.synthetic import write_faces

    write_faces(args.out, args.identities, args.images, args.seed, args.jobs, args.label_noise)


if __name__ == '__main__':
    run_tool(main, parse_args, interrupted='stopped: nothing was written')
