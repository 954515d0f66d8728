"""Checks a folder in CelebA's layout, lists, labels and images, and says all that is wrong at once.

  python tools/data/check.py CELEBA_ROOT
  python tools/data/check.py CELEBA_ROOT --lists-only --out problems.json

Exits with 1 where there are errors, with which a training would stop or be wrong, and with 0 where there are only
warnings, which a person should look at.
"""

import argparse
import sys

from imcnn_plugin.datachecks.check_celeba import check_celeba
from imcnn_plugin.datachecks.issue_report import json_report, text_report
from imcnn_plugin.errors import IMCNNError
from imcnn_plugin.files import write_text


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', metavar='CELEBA_ROOT', help='folder with the lists and images')
    parser.add_argument(
        '--data-prefix', default='img_align_celeba', help='the folder of images (default: %(default)s)'
    )
    parser.add_argument('--lists-only', action='store_true', help='look for no image')
    parser.add_argument('--workers', type=int, help='processes that read images (default: all cores, or 1 for few)')
    parser.add_argument(
        '--lines', type=int, default=3, help='lines printed for each kind of problem, 0 for all (default: %(default)s)'
    )
    parser.add_argument('--out', metavar='JSON', help='write all problems to this file, too')
    args = parser.parse_args()
    if args.lines < 0 or (args.workers is not None and args.workers < 1):
        parser.error('--lines must be at least 0 and --workers at least 1')
    return args


def main():
    args = parse_args()
    try:
        checkup = check_celeba(args.root, args.data_prefix, args.lists_only, args.workers)
        print(text_report(checkup, args.lines))
        if args.out:
            write_text(args.out, json_report(checkup) + '\n')
    except IMCNNError as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        sys.exit('\nstopped')
    sys.exit(int(any(problem.kind.is_error for problem in checkup.problems)))


if __name__ == '__main__':
    main()
