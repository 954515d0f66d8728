"""Writes what predictions need of a checkpoint into a file for others, and says what is not in it."""

import argparse
import sys

from imcnn_plugin.deployment import publish
from imcnn_plugin.errors import IMCNNError


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint file; the config is in it')
    parser.add_argument(
        '--out',
        required=True,
        metavar='FILE_OR_FOLDER',
        help='a name ending in .pth, into which the start of the SHA-256 is put, or a folder',
    )
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        published = publish(args.checkpoint, args.out)
    except IMCNNError as error:
        sys.exit(f'error: {error}')
    before, after = (size / 1e6 for size in (published.bytes_before, published.bytes_after))
    print(
        f'Written to {published.path}: {after:.1f} MB, {100 * (1 - after / before):.0f} % less than {before:.1f} MB.'
    )
    print(f'Left out: {", ".join(published.dropped) or "nothing"}.')
    if published.paths:
        print(f'Of these paths the last part is left: {", ".join(published.paths)}.')


if __name__ == '__main__':
    main()
