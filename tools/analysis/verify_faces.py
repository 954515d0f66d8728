"""Tests on LFW's pairs whether the features of networks tell people apart: how much the identity loss has taught."""

import argparse
from pathlib import Path

from imcnn_plugin.apis import verify_pairs
from imcnn_plugin.cli import between, run_tool, split_named
from imcnn_plugin.evaluation import read_face_pairs
from imcnn_plugin.tables import aligned_lines
from imcnn_plugin.visualization import plot_roc_curves, save_figure, writable_figure

FORM = 'NAME=CHECKPOINT'


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('networks', nargs='+', metavar=FORM)
    parser.add_argument('--pairs', required=True, metavar='FILE', help="LFW's pairs.txt")
    parser.add_argument('--images', required=True, metavar='DIR', help='folder with a folder of pictures per person')
    parser.add_argument(
        '--cut',
        nargs=2,
        type=between(1),
        default=(170, 208),
        metavar=('WIDTH', 'HEIGHT'),
        help='the middle of each picture that is cut out (default 170 208, of 250 x 250 pixels)',
    )
    parser.add_argument('--out', type=writable_figure, metavar='FILE', help='figure of the ROC curves')
    return parser.parse_intermixed_args()


def main():
    args = parse_args()
    listed = read_face_pairs(args.pairs)
    pairs = listed.inside(args.images)
    rows, curves = [['network', 'features', 'accuracy', 'area under ROC']], {}
    for name, checkpoint in split_named(args.networks, FORM):
        for features, result in verify_pairs(checkpoint, Path(args.images), pairs, tuple(args.cut)).items():
            accuracy = f'{result.mean:.2f} +- {result.standard_error:.2f} %'
            rows.append([name, features, accuracy, f'{result.auc:.3f}'])
            curves[f'{name}, {features}'] = result
    print('\n'.join(aligned_lines(rows, rules=[1])))
    print(
        f'{len(pairs.names)} pairs in {pairs.fold.max() + 1} folds, each with the threshold that is best on the '
        'others; +- is the standard error over folds; chance is 50 %.'
    )
    if left_out := len(listed.names) - len(pairs.names):
        print(f'Left out: {left_out} pairs of which an image is not in {args.images}.')
    if args.out:
        save_figure(plot_roc_curves(curves), args.out)
        print(f'Written to {args.out}')


if __name__ == '__main__':
    run_tool(main)
