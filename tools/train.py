"""Trains a model and, if the config has a test split, evaluates the best checkpoint on it."""

from imcnn_cli import CONFIG, add_runner_arguments, describe_results, make_parser, run_tool


def parse_args():
    parser = make_parser(
        __doc__,
        'configs/imcnn_celeba.py --data-root data/celeba',
        'configs/imcnn_celeba.py --amp --resume',
    )
    parser.add_argument('config', metavar='CONFIG', help=CONFIG)
    add_runner_arguments(parser, 'work_dirs/<config>')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='resume from this checkpoint; without a value, from the latest one in the work directory',
    )
    parser.add_argument('--no-validate', action='store_true', help='neither validate nor test')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help="scale the learning rate by the ratio of the global batch size to the config's",
    )
    args = parser.parse_args()
    if args.resume == '':
        parser.error('--resume is empty: name a checkpoint, or omit the value for the latest one')
    return args


def main(args):
    from mmengine.dist import is_main_process

    from imcnn_plugin.checkpoints import find_latest
    from imcnn_plugin.engine import EVALUATION, build_runner, load_config, shutdown_distributed, train_and_test
    from imcnn_plugin.errors import ConfigError

    cfg = load_config(args.config, args.data_root, args.work_dir, args.cfg_options, args.launcher)
    if args.resume == 'auto' or (cfg.get('resume') and not cfg.get('load_from') and not args.resume):
        # If there is nothing to resume, start from the weights in load_from, if any.
        latest = find_latest(cfg.work_dir)
        cfg.resume, cfg.load_from = latest is not None, latest or cfg.get('load_from')
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
    evaluation = {}
    if args.no_validate:
        evaluation = {key: cfg.get(key) for key in EVALUATION}
        cfg.update(dict.fromkeys(EVALUATION))
    runner = build_runner(cfg, strict=bool(cfg.get('resume')))
    # Keep the evaluation settings in the config of checkpoints, for later tests.
    runner.cfg.update(evaluation)
    train_and_test(runner)
    if is_main_process():
        print(describe_results(runner.work_dir))
    shutdown_distributed()


if __name__ == '__main__':
    run_tool(main, parse_args)
