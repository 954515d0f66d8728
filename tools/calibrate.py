"""Fits a threshold per attribute and a temperature on the validation split, and writes a checkpoint with them."""

import argparse

from mmengine.config import DictAction

from imcnn_cli import run_tool, writable


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint file; it contains the config')
    parser.add_argument('--out', required=True, type=writable, metavar='FILE', help='the calibrated checkpoint')
    parser.add_argument(
        '--criterion',
        choices=('accuracy', 'balanced_accuracy', 'f1'),
        default='accuracy',
        help='what thresholds optimize (default %(default)s)',
    )
    parser.add_argument('--config', help="config of another dataset, whose data is used instead of the checkpoint's")
    parser.add_argument(
        '--data-root',
        help="folder of the dataset; default its environment variable, such as CELEBA_ROOT, then the checkpoint's own",
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override values of the config'
    )
    return parser.parse_args()


def main(args):
    from imcnn_plugin.checkpoints import save_checkpoint
    from imcnn_plugin.deployment import calibrate

    checkpoint, table = calibrate(args.checkpoint, args.criterion, args.data_root, args.cfg_options, args.config)
    save_checkpoint(checkpoint, args.out)
    print(f'\n{table}\nWritten to {args.out}')


if __name__ == '__main__':
    run_tool(main, parse_args)
