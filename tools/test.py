"""Evaluates a checkpoint on the test split and prints a table of its attributes."""

import sys
from pathlib import Path

from imcnn_cli import CONFIG, add_checkpoint, add_runner_arguments, between, make_parser, run_tool


def parse_args():
    parser = make_parser(
        __doc__,
        'work_dirs/imcnn_celeba --data-root data/celeba',
        'configs/imcnn_lfwa.py work_dirs/imcnn_celeba --tta',
    )
    parser.add_argument('config', nargs='?', metavar='CONFIG', help=f"{CONFIG}; default the checkpoint's own config")
    add_checkpoint(parser)
    add_runner_arguments(parser, 'test in the work directory of the checkpoint')
    parser.add_argument('--expect', metavar='FILE', help='fail if the accuracies differ from this per_attribute.json')
    parser.add_argument(
        '--tolerance',
        type=between(0, 100, float),
        default=0.1,
        metavar='X',
        help='allowed difference in percentage points; default %(default)s',
    )
    parser.add_argument('--tta', action='store_true', help='average the predictions of each image and its flip')
    return parser.parse_args()


def main(args):
    import torch
    from mmengine.dist import is_main_process

    from imcnn_plugin.checkpoints import checkpoint_file, drop_identity_head, drop_pretrained
    from imcnn_plugin.engine import build_runner, load_config, shutdown_distributed
    from imcnn_plugin.errors import ConfigError, translate_errors
    from imcnn_plugin.evaluation import REPORT_FILE, TEST_FOLDER, AttributeReport

    config = args.config or args.checkpoint
    cfg = load_config(config, args.data_root, args.work_dir, args.cfg_options, args.launcher)
    if not cfg.get('test_dataloader') or cfg.get('test_cfg') is None:
        raise ConfigError(f'{config} has no test split: write test_dataloader, test_evaluator and test_cfg')
    checkpoint = checkpoint_file(args.checkpoint)
    cfg.load_from = str(checkpoint)
    if not args.work_dir:
        # Do not overwrite the report of the training run. A published checkpoint has no work directory.
        run = checkpoint.parent if checkpoint.with_name('last_checkpoint').is_file() else Path(cfg.work_dir)
        cfg.work_dir = str(run / TEST_FOLDER)
    # The config of a resumed run has resume=True.
    cfg.resume = False
    drop_identity_head(cfg)
    drop_pretrained(cfg.model)
    if args.tta:
        cfg.test_cfg.type = 'FlipTTALoop'
    if args.amp:
        cfg.test_cfg.fp16 = True
        # As in training; on a GPU the loop would use float16.
        torch.set_autocast_dtype('cuda', torch.bfloat16)
    expected = AttributeReport.load(args.expect) if args.expect else None
    with translate_errors():
        build_runner(cfg, strict=True).test()
    if expected and is_main_process():
        found = AttributeReport.load(Path(cfg.work_dir, REPORT_FILE))
        if lines := found.differences(expected, args.tolerance):
            sys.exit('\n'.join([f'Results differ from {args.expect}:', *lines]))
        print(f'As in {args.expect}, within {args.tolerance} points.')
    shutdown_distributed()


if __name__ == '__main__':
    run_tool(main, parse_args)
