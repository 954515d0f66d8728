"""Writes the report of a training as one HTML file: accuracies, curves, calibration, subgroups, mistakes."""

import argparse
import sys

from imcnn_plugin.errors import IMCNNError
from imcnn_plugin.reports.page import write_report_page


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dir', help='work folder of a training')
    parser.add_argument('--data-root', help="the data set's folder; by default the one that the training had is tried")
    parser.add_argument('--checkpoint', metavar='FILE', help="default the folder's best, else its newest")
    parser.add_argument(
        '--pictures', action='store_true', help='show the images of the worst mistakes: not to publish'
    )
    parser.add_argument('--out', metavar='FILE', help='the page; default report.html in the work folder')
    args = parser.parse_args()
    try:
        path, notes = write_report_page(args.work_dir, args.out, args.data_root, args.checkpoint, args.pictures)
    except IMCNNError as error:
        sys.exit(f'error: {error}')
    print('\n'.join([*notes, f'The report is in {path}']))


if __name__ == '__main__':
    main()
