"""Checks the lists, labels and images of a folder in CelebA's layout, and lists all issues at once.

  python tools/data/check.py CELEBA_ROOT
  python tools/data/check.py CELEBA_ROOT --lists-only --out problems.json

Exits with 1 if there are errors, with which training would stop or be wrong, and with 0 if there are only warnings.
"""

import argparse
import sys

from imcnn_cli import between, run_tool, writable


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', metavar='CELEBA_ROOT', help='folder with the lists and images')
    parser.add_argument('--data-prefix', default='img_align_celeba', help='the image folder (default: %(default)s)')
    parser.add_argument('--lists-only', action='store_true', help='do not check images')
    parser.add_argument(
        '--workers',
        type=between(1, 1024),
        help='processes that read images (default: all cores, or 1 for a small dataset)',
    )
    parser.add_argument(
        '--lines', type=between(0), default=3, help='lines printed per kind of issue, 0 for all (default: %(default)s)'
    )
    parser.add_argument('--out', type=writable, metavar='JSON', help='also write all issues to this file')
    return parser.parse_args()


def main(args):
    from imcnn_plugin.datachecks import check_celeba, json_report, text_report
    from imcnn_plugin.files import write_text

    result = check_celeba(args.root, args.data_prefix, args.lists_only, args.workers)
    print(text_report(result, args.lines))
    if args.out:
        write_text(args.out, json_report(result) + '\n')
    sys.exit(int(result.count(is_error=True) > 0))


if __name__ == '__main__':
    run_tool(main, parse_args)
