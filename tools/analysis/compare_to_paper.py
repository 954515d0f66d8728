"""Prints both halves of the paper's Table 3, with measured accuracies beside them, and what is wrong in it."""

import argparse
from pathlib import Path

from imcnn_cli import run_tool

# What a page has above this line is kept when the table is written again.
MARK = '<!-- Made by tools/analysis/compare_to_paper.py from here on. -->\n'


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'files',
        nargs='*',
        metavar='NAME=FILE',
        help="per_attribute.json of a test, or a pattern of several, in quotes; without NAME= its folder's name is "
        'taken. Files of one name on one dataset are seeds. A model that is named after a system of the table, such '
        "as 'IMCNN' or 'IMCNN, zero-shot', also gets a column of differences. Or the rows that --format json wrote",
    )
    parser.add_argument('--set', choices=('celeba', 'lfwa'), help='show only this dataset (default: both)')
    parser.add_argument(
        '--format',
        choices=('text', 'markdown', 'latex', 'json'),
        default='text',
        help='default text; latex needs booktabs, graphicx and rotating; json: the rows of what was measured',
    )
    parser.add_argument(
        '--out',
        metavar='FILE',
        help=f'write there, not to the console; what it has above a line {MARK.strip()} is kept',
    )
    # Files may stand on both sides of an option.
    return parser.parse_intermixed_args()


def main(args):
    from imcnn_plugin.files import read_text, write_text
    from imcnn_plugin.paper import FORMATS, compare, read_measured_results, read_published

    text = FORMATS[args.format](compare(read_published(), read_measured_results(args.files), args.set))
    if args.out:
        page = read_text(args.out) if Path(args.out).is_file() else ''
        above, mark, _ = page.partition(MARK)
        write_text(args.out, f'{above}{mark}\n{text}' if mark else text)
        text = f'written to {args.out}\n'
    print(text, end='')


if __name__ == '__main__':
    run_tool(main, parse_args)
