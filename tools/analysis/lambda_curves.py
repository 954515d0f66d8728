"""Draws the paper's Fig. 4: loss and accuracy of trainings, and accuracy against lambda where names are numbers."""

import argparse
import sys

from imcnn_plugin.apis import split_names
from imcnn_plugin.errors import IMCNNError
from imcnn_plugin.visualization import draw_lambda_curves, read_curves

FORM = 'NAME=WORK_DIR'


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('runs', nargs='+', metavar=FORM, help='work folders of trainings, such as 0.1=work_dirs/a')
    parser.add_argument('--out', required=True, metavar='FILE', help='the picture, such as lambda.png')
    args = parser.parse_intermixed_args()
    try:
        runs = [read_curves(name, folder) for name, folder in split_names(args.runs, FORM)]
        draw_lambda_curves(runs, args.out)
    except IMCNNError as error:
        sys.exit(f'error: {error}')
    print(f'{len(runs)} trainings drawn to {args.out}')


if __name__ == '__main__':
    main()
