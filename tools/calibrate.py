"""Fits a threshold for each attribute and a temperature on the validation part, and writes a checkpoint with them."""

import argparse
import sys

from mmengine.config import DictAction

from imcnn_plugin.checkpoints import save_checkpoint
from imcnn_plugin.deployment import calibrate
from imcnn_plugin.errors import IMCNNError
from imcnn_plugin.evaluation.calibration import CRITERIA


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint file; the config is in it')
    parser.add_argument('--out', required=True, metavar='FILE', help='the calibrated checkpoint')
    parser.add_argument(
        '--criterion', choices=CRITERIA, default='accuracy', help='what thresholds are for; default %(default)s'
    )
    parser.add_argument(
        '--data-root',
        help="the data set's folder; default: the variable of its config, as CELEBA_ROOT, then the checkpoint's own",
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override values of the config'
    )
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        checkpoint, table = calibrate(args.checkpoint, args.criterion, args.data_root, args.cfg_options)
        save_checkpoint(checkpoint, args.out)
    except IMCNNError as error:
        sys.exit(f'error: {error}')
    print(f'\n{table}\nWritten to {args.out}')


if __name__ == '__main__':
    main()
