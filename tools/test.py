"""Tests a checkpoint on the test part of a config and prints a table of its attributes."""

import argparse
import json
import sys
from pathlib import Path

from mmengine.config import DictAction
from mmengine.dist import is_main_process

from imcnn_plugin.checkpoints import drop_identity_head
from imcnn_plugin.engine import build_runner, leave_processes, load_config
from imcnn_plugin.errors import ConfigError, DataError, IMCNNError, plain_errors
from imcnn_plugin.evaluation.report import differences


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--data-root', help="the data set's folder, in place of the config's")
    parser.add_argument('--work-dir', help='where per_attribute.json and .csv go; default work_dirs/<config>')
    parser.add_argument('--expect', metavar='JSON', help='fail where the accuracies are not those of this file')
    parser.add_argument(
        '--tolerance', type=float, default=0.1, help='points of percent by which they may differ (default %(default)s)'
    )
    parser.add_argument('--tta', action='store_true', help="average each image's prediction with its mirror image's")
    parser.add_argument('--amp', action='store_true', help='test in half precision')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override values of the config'
    )
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm', 'mpi'), default='none')
    # MIM's launcher passes it; the environment says the same.
    parser.add_argument('--local-rank', '--local_rank', type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        run(args)
    except IMCNNError as error:
        sys.exit(f'error: {error}')


def read_report(path):
    try:
        report = json.loads(Path(path).read_text())
        # Which reads all that a comparison needs.
        differences(report, report, 0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f'{path} is no per_attribute.json ({error}): give the file of an evaluation') from error
    return report


def run(args):
    cfg = load_config(args.config, args.data_root, args.work_dir, args.cfg_options, args.launcher)
    if not cfg.get('test_dataloader') or cfg.get('test_cfg') is None:
        raise ConfigError(f'{args.config} has no test part: write test_dataloader, test_evaluator and test_cfg')
    cfg.load_from = args.checkpoint
    # A training that was resumed leaves a config that says so.
    cfg.resume = False
    drop_identity_head(cfg)
    if args.tta:
        cfg.test_cfg.type = 'MirrorTestLoop'
    if args.amp:
        cfg.test_cfg.fp16 = True
    expected = read_report(args.expect) if args.expect else None
    with plain_errors(cfg):
        build_runner(cfg, strict=True).test()
    if expected and is_main_process():
        found = json.loads(Path(cfg.work_dir, 'per_attribute.json').read_text())
        if lines := differences(found, expected, args.tolerance):
            sys.exit('\n'.join([f'Not what {args.expect} has:', *lines]))
        print(f'As {args.expect} has it, within {args.tolerance} points.')
    leave_processes()


if __name__ == '__main__':
    main()
