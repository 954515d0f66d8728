"""Writes the report of a run as one HTML file: accuracies, curves, calibration, subgroups, worst errors."""

from imcnn_cli import add_data_root, add_out, make_parser, run_tool


def parse_args():
    parser = make_parser(
        __doc__,
        'work_dirs/imcnn_celeba',
        'work_dirs/imcnn_celeba --compare work_dirs/attr_net_celeba --out comparison.html',
    )
    parser.add_argument('work_dir', metavar='WORK_DIR', help='work directory of a run')
    add_data_root(parser)
    parser.add_argument(
        '--checkpoint', metavar='FILE', help='checkpoint to report; default the best, else the latest of WORK_DIR'
    )
    parser.add_argument(
        '--pictures', action='store_true', help='include the images of the worst errors; do not publish them'
    )
    parser.add_argument('--compare', metavar='WORK_DIR', help='work directory of a second run to compare with')
    add_out(parser, 'the page; default report.html in WORK_DIR', required=False)
    return parser.parse_args()


def main(args):
    from imcnn_plugin.reports import write_report

    path, notes = write_report(args.work_dir, args.out, args.data_root, args.checkpoint, args.pictures, args.compare)
    print('\n'.join([*notes, f'Written to {path}']))


if __name__ == '__main__':
    run_tool(main, parse_args)
