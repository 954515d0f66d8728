"""Draws faces of the test split beside their predicted and labelled attributes."""

from argparse import SUPPRESS

from imcnn_cli import (
    add_checkpoint,
    add_data_config,
    add_data_root,
    add_out,
    between,
    make_parser,
    run_tool,
)


def parse_args():
    parser = make_parser(__doc__, 'work_dirs/imcnn_celeba', 'work_dirs/imcnn_celeba --num 16 --out faces.png')
    # In earlier versions, the config was the first argument.
    parser.add_argument('first', nargs='?', help=SUPPRESS)
    add_checkpoint(parser)
    add_data_config(parser)
    add_data_root(parser)
    parser.add_argument(
        '--num',
        type=between(1),
        default=8,
        metavar='N',
        help='number of faces, evenly spaced over the split; default %(default)s',
    )
    add_out(parser, 'the figure', kind='figure', default='predictions.png')
    return parser.parse_args()


def main(args):
    from imcnn_plugin.apis import open_trained, predict_samples
    from imcnn_plugin.visualization import plot_prediction_sheet, save_figure

    trained, cfg = open_trained(args.checkpoint, args.data_root, args.config or args.first)
    images, scores, thresholds, targets, classes = predict_samples(trained, cfg, args.num)
    save_figure(plot_prediction_sheet(images, scores, thresholds, targets, classes), args.out, dpi=110)
    print(f'Written to {args.out}: {len(images)} faces')


if __name__ == '__main__':
    run_tool(main, parse_args)
