"""Trains variants with several seeds, stores the results of each run, and prints one table."""

import sys
from pathlib import Path

from imcnn_cli import VARIANT, add_data_root, add_out, between, make_parser, run_tool, writable, writable_figure


def parse_args():
    parser = make_parser(
        __doc__,
        '--results results.jsonl --seeds 0 1 2 --lambdas 0 0.1 1',
        'ATTR=configs/attr_net_celeba_mini.py "lr 0.1=configs/imcnn_celeba_mini.py optim_wrapper.optimizer.lr=0.1" '
        '--results results.jsonl',
    )
    parser.add_argument(
        'variants',
        nargs='*',
        metavar='NAME=CONFIG [KEY=VALUE ...]',
        help=VARIANT,
    )
    parser.add_argument(
        '--results',
        required=True,
        metavar='FILE',
        help='file for the results, one row per line; rows are appended. With --table-only also a folder of files',
    )
    add_out(parser, 'the work directories', kind='folder', default='work_dirs/sweep')
    parser.add_argument(
        '--seeds',
        nargs='+',
        type=between(0, 2**32 - 1),
        default=[0],
        metavar='N',
        help='random seeds of each variant; default 0',
    )
    parser.add_argument(
        '--folds',
        nargs='+',
        type=between(0, 1000),
        metavar='K',
        help='cross-validation: folds to train and test each variant with, such as 0 1 2 3 4',
    )
    parser.add_argument(
        '--lambdas',
        nargs='+',
        default=[],
        metavar='X',
        help='weights of the identity loss, each a variant of --config; 0 trains without the identity branch',
    )
    parser.add_argument(
        '--config', default='configs/imcnn_celeba_mini.py', help='config of --lambdas; default %(default)s'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override values of all configs'
    )
    add_data_root(parser)
    parser.add_argument('--amp', action='store_true', help='run in half precision, on a GPU or a CPU')
    parser.add_argument(
        '--jobs',
        type=between(1, 1024),
        default=1,
        metavar='N',
        help='number of parallel runs, which share the cores; default 1',
    )
    parser.add_argument(
        '--baseline', metavar='NAME', help='variant that the others are compared with; default the first'
    )
    parser.add_argument('--table-only', action='store_true', help='train nothing; without variants, show all rows')
    parser.add_argument('--markdown', type=writable, metavar='FILE', help='file for the table as Markdown')
    parser.add_argument(
        '--picture',
        type=writable_figure,
        metavar='FILE',
        help='file for the figure of the differences, such as differences.png',
    )
    args = parser.parse_intermixed_args()
    if not args.variants and not args.lambdas and not args.table_only:
        parser.error('no variants; after an option of several values, put -- before them')
    return args


def main(args):
    from imcnn_plugin.errors import DataError
    from imcnn_plugin.experiments import (
        Sweep,
        SweepTable,
        choose_baseline,
        group_rows,
        lambda_variants,
        parse_variant,
        read_rows,
    )
    from imcnn_plugin.files import write_text
    from imcnn_plugin.visualization import plot_variant_differences, save_figure

    options = [*args.cfg_options, *(['optim_wrapper.type=BF16OptimWrapper'] if args.amp else [])]
    failed = {}
    variants = [parse_variant(text, options, bool(args.folds)) for text in args.variants]
    variants += lambda_variants(args.lambdas, args.config, options, bool(args.folds))
    baseline = choose_baseline(args.baseline, variants)
    if not args.table_only:
        script = Path(__file__).with_name('train.py')
        runs = Sweep(
            variants, args.seeds, args.out, args.results, script, args.data_root, args.jobs, args.folds or [None]
        )
        failed = runs.run()
    rows = read_rows(args.results)
    if args.table_only and not rows:
        raise DataError(f'{args.results} has no rows: give the file that a sweep wrote, or a folder of such files')
    groups = group_rows(rows, variants)
    table = SweepTable(groups, baseline)
    print('\n' + table.text(), end='')
    if args.markdown and groups:
        write_text(args.markdown, table.markdown())
    if args.picture and groups:
        save_figure(plot_variant_differences(table.differences, table.baseline), args.picture)
    if failed:
        sys.exit('\n'.join(['\nFailed:', *(f'{job}: {said}' for job, said in failed.items())]))


if __name__ == '__main__':
    run_tool(main, parse_args, interrupted='stopped: the same command resumes')
