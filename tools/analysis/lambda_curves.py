"""Draws the paper's Fig. 4: loss and accuracy of runs by epoch and, if their names are numbers, accuracy by lambda."""

from imcnn_cli import add_out, make_parser, run_tool, split_named

FORM = 'NAME=WORK_DIR'


def parse_args():
    parser = make_parser(
        __doc__,
        '0=work_dirs/l0 0.1=work_dirs/l01 1=work_dirs/l1 --out lambda.png',
        'IMCNN=work_dirs/imcnn_celeba ATTR=work_dirs/attr_net_celeba --out curves.png',
    )
    parser.add_argument(
        'runs',
        nargs='+',
        metavar=FORM,
        help='a name for the output, such as 0.1 for lambda 0.1, and the work directory of its run',
    )
    add_out(parser, 'the figure, such as lambda.png', kind='figure')
    return parser.parse_intermixed_args()


def main(args):
    from imcnn_plugin.engine.training_log import read_epoch_log
    from imcnn_plugin.visualization import plot_lambda_curves, save_figure

    runs = [(name, read_epoch_log(work_dir)) for name, work_dir in split_named(args.runs, FORM)]
    save_figure(plot_lambda_curves(runs), args.out)
    print(f'Written to {args.out}: {len(runs)} runs')


if __name__ == '__main__':
    run_tool(main, parse_args)
