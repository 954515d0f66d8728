"""Prints the paper's Table 3 and what is wrong in it, with measured accuracies beside it where files are given."""

import argparse

from imcnn_plugin.cli import run_tool
from imcnn_plugin.files import write_text
from imcnn_plugin.paper import DATASETS, FORMATS, compare, read_measured_results, read_published


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'files',
        nargs='*',
        metavar='NAME=FILE',
        help="per_attribute.json of a test; without NAME= its folder's name is taken; files of one name are seeds",
    )
    parser.add_argument('--set', choices=DATASETS, help="the paper's columns (default celeba; without files both)")
    parser.add_argument('--format', choices=FORMATS, default='text', help='default text')
    parser.add_argument('--out', metavar='FILE', help='write there, not to the console')
    # Files may stand on both sides of an option.
    args = parser.parse_intermixed_args()
    text = FORMATS[args.format](compare(read_published(), read_measured_results(args.files), args.set))
    if args.out:
        write_text(args.out, text)
        text = f'written to {args.out}\n'
    print(text, end='')


if __name__ == '__main__':
    run_tool(main)
