"""Trains a model and, where the config has a test part, tests the best checkpoint on it."""

import argparse
import sys

from mmengine.config import DictAction

from imcnn_plugin.checkpoints import newest_checkpoint
from imcnn_plugin.engine import build_runner, leave_processes, load_config, train_and_test
from imcnn_plugin.errors import ConfigError, IMCNNError


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--data-root', help="the data set's folder, in place of the config's")
    parser.add_argument('--work-dir', help='where logs, checkpoints and tables go; default work_dirs/<config>')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint, without a value from the last one of the work folder',
    )
    parser.add_argument('--amp', action='store_true', help='train in bfloat16, on a GPU or a CPU')
    parser.add_argument('--no-validate', action='store_true', help='neither validate nor test')
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help="scale the learning rate by global batch / the config's batch"
    )
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


def run(args):
    cfg = load_config(args.config, args.data_root, args.work_dir, args.cfg_options, args.launcher)
    if args.resume == 'auto':
        # With nothing to go on from, a run starts from the weights that its config may name.
        newest = newest_checkpoint(cfg.work_dir)
        cfg.resume, cfg.load_from = newest is not None, newest or cfg.get('load_from')
    elif args.resume:
        cfg.resume, cfg.load_from = True, args.resume
    if args.amp and not cfg.get('optim_wrapper'):
        raise ConfigError(f'{args.config} has no optim_wrapper, which --amp sets: name one')
    if args.auto_scale_lr and not cfg.get('auto_scale_lr'):
        raise ConfigError(f'{args.config} has no auto_scale_lr: write auto_scale_lr=dict(base_batch_size=...)')
    if args.amp:
        cfg.optim_wrapper.type = 'BF16OptimWrapper'
    if args.auto_scale_lr:
        cfg.auto_scale_lr.enable = True
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.test_cfg = cfg.test_dataloader = cfg.test_evaluator = None
    train_and_test(build_runner(cfg, strict=bool(cfg.get('resume'))))
    leave_processes()


if __name__ == '__main__':
    main()
