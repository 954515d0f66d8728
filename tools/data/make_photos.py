"""Draws photos with several synthetic faces, their boxes and 40 attributes in COCO's format, to try a detector on."""

import argparse

from imcnn_cli import between, run_tool


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', required=True, help='new or empty folder')
    parser.add_argument('--photos', type=between(1), default=1000, help='number of photos (default: %(default)s)')
    parser.add_argument('--seed', type=between(0), default=0, help='same seed, same bytes (default: %(default)s)')
    parser.add_argument(
        '--jobs', type=between(1, 1024), help='number of processes (default: all cores, or 1 for few photos)'
    )
    return parser.parse_args()


def main(args):
    from imcnn_plugin.synthetic import write_photos

    write_photos(args.out, args.photos, args.seed, args.jobs)


if __name__ == '__main__':
    run_tool(main, parse_args, interrupted='stopped: nothing was written')
