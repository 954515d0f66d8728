"""Tests a checkpoint on the test part of a config and prints a table of its attributes."""

import argparse

from mmengine.config import DictAction

from imcnn_plugin.apis import build_runner, drop_identity_head, load_config


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--data-root', help="the data set's folder, in place of the config's")
    parser.add_argument('--work-dir', help='where per_attribute.json and .csv go; default work_dirs/<config>')
    parser.add_argument('--amp', action='store_true', help='test in half precision')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override values of the config'
    )
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm', 'mpi'), default='none')
    return parser.parse_args()


def main():
    args = parse_args()
    cfg = load_config(args.config, args.data_root, args.work_dir, args.cfg_options, args.launcher)
    cfg.load_from = args.checkpoint
    # A training that was resumed leaves a config that says so.
    cfg.resume = False
    drop_identity_head(cfg)
    if args.amp:
        cfg.test_cfg.fp16 = True
    build_runner(cfg).test()


if __name__ == '__main__':
    main()
