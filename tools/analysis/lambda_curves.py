"""Draws the paper's Fig. 4: loss and accuracy of runs by epoch and, if their names are numbers, accuracy by lambda."""

import argparse

from imcnn_cli import run_tool, split_named, writable_figure

FORM = 'NAME=WORK_DIR'


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'runs', nargs='+', metavar=FORM, help='work directories, such as 0.1=work_dirs/a for lambda 0.1'
    )
    parser.add_argument(
        '--out', required=True, type=writable_figure, metavar='FILE', help='figure to write, such as lambda.png'
    )
    return parser.parse_intermixed_args()


def main(args):
    from imcnn_plugin.engine.training_log import read_epoch_log
    from imcnn_plugin.visualization import plot_lambda_curves, save_figure

    runs = [(name, read_epoch_log(work_dir)) for name, work_dir in split_named(args.runs, FORM)]
    save_figure(plot_lambda_curves(runs), args.out)
    print(f'Written to {args.out}: {len(runs)} runs')


if __name__ == '__main__':
    run_tool(main, parse_args)
