"""Strips a checkpoint to what predictions need, for others to use, and lists what was dropped."""

import argparse

from imcnn_cli import run_tool


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint file; it contains the config')
    parser.add_argument(
        '--out',
        required=True,
        metavar='FILE_OR_FOLDER',
        help='a name ending in .pth, into which the start of the SHA-256 is inserted, or a folder',
    )
    return parser.parse_args()


def main(args):
    from imcnn_plugin.deployment import publish

    published = publish(args.checkpoint, args.out)
    before, after = (size / 1e6 for size in (published.bytes_before, published.bytes_after))
    print(
        f'Written to {published.path}: {after:.1f} MB, {100 * (1 - after / before):.0f} % less than {before:.1f} MB.'
    )
    print(f'Dropped: {", ".join(published.dropped) or "nothing"}.')
    if published.paths:
        print(f'Absolute paths were reduced to file names: {", ".join(published.paths)}.')


if __name__ == '__main__':
    run_tool(main, parse_args)
