"""Fits a threshold per attribute and a temperature on the validation split, and writes a checkpoint with them."""

from imcnn_cli import (
    add_cfg_options,
    add_checkpoint,
    add_data_config,
    add_data_root,
    add_out,
    make_parser,
    run_tool,
)


def parse_args():
    parser = make_parser(
        __doc__,
        'work_dirs/imcnn_celeba --out calibrated.pth',
        'work_dirs/imcnn_celeba --criterion f1 --data-root data/celeba --out calibrated.pth',
    )
    add_checkpoint(parser)
    add_out(parser, 'the calibrated checkpoint')
    parser.add_argument(
        '--criterion',
        choices=('accuracy', 'balanced_accuracy', 'f1'),
        default='accuracy',
        help='metric that the thresholds optimize; default %(default)s',
    )
    add_data_config(parser)
    add_data_root(parser)
    add_cfg_options(parser)
    return parser.parse_args()


def main(args):
    from imcnn_plugin.checkpoints import save_checkpoint
    from imcnn_plugin.deployment import calibrate

    checkpoint, table = calibrate(args.checkpoint, args.criterion, args.data_root, args.cfg_options, args.config)
    save_checkpoint(checkpoint, args.out)
    print(f'\n{table}\nWritten to {args.out}')


if __name__ == '__main__':
    run_tool(main, parse_args)
