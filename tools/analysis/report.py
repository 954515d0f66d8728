"""Writes the report of a run as one HTML file: accuracies, curves, calibration, subgroups, worst errors."""

import argparse

from imcnn_cli import run_tool


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dir', help='work directory of a run')
    parser.add_argument('--data-root', help='dataset directory; by default the one used in training, if it exists')
    parser.add_argument('--checkpoint', metavar='FILE', help='default the best, else the latest of the directory')
    parser.add_argument(
        '--pictures', action='store_true', help='show the images of the worst errors: do not publish them'
    )
    parser.add_argument('--compare', metavar='WORK_DIR', help='a second run, whose accuracies stand beside')
    parser.add_argument('--out', metavar='FILE', help='page to write; default report.html in the work directory')
    return parser.parse_args()


def main(args):
    from imcnn_plugin.reports import write_report

    path, notes = write_report(args.work_dir, args.out, args.data_root, args.checkpoint, args.pictures, args.compare)
    print('\n'.join([*notes, f'Written to {path}']))


if __name__ == '__main__':
    run_tool(main, parse_args)
