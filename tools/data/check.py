"""Checks the lists, labels and images of a dataset in CelebA's layout, and reports all issues at once.

The exit status is 1 if there are errors, which would stop or corrupt training, and 0 if there are only warnings.
"""

import sys

from imcnn_cli import DATA_ROOT, OLD_NAME, add_jobs, add_out, between, make_parser, run_tool


def parse_args():
    parser = make_parser(__doc__, 'data/celeba', 'data/celeba --lists-only --out problems.json')
    parser.add_argument('root', metavar='DATA_ROOT', help=DATA_ROOT)
    parser.add_argument(
        '--data-prefix', default='img_align_celeba', help='folder of the images in DATA_ROOT; default %(default)s'
    )
    parser.add_argument('--lists-only', action='store_true', help='do not check images')
    add_jobs(parser)
    parser.add_argument('--workers', dest='jobs', type=between(1, 1024), **OLD_NAME)
    parser.add_argument(
        '--lines',
        type=between(0),
        default=3,
        metavar='N',
        help='lines printed per kind of issue, 0 for all; default %(default)s',
    )
    add_out(parser, 'all issues, as JSON', required=False)
    return parser.parse_args()


def main(args):
    from imcnn_plugin.datachecks import check_celeba, json_report, text_report
    from imcnn_plugin.files import write_text

    result = check_celeba(args.root, args.data_prefix, args.lists_only, args.jobs)
    print(text_report(result, args.lines))
    if args.out:
        write_text(args.out, json_report(result) + '\n')
    sys.exit(int(result.count(is_error=True) > 0))


if __name__ == '__main__':
    run_tool(main, parse_args)
