"""Generates photos with several synthetic faces, their boxes and 40 attributes in COCO format, to try a detector."""

from imcnn_cli import add_jobs, add_out, add_seed, between, make_parser, run_tool


def parse_args():
    parser = make_parser(__doc__, '--out data/drawn_photos', '--out data/drawn_photos --photos 100 --seed 1')
    add_out(parser, 'the photos and their labels', kind='folder')
    parser.add_argument(
        '--photos', type=between(1), default=1000, metavar='N', help='number of photos; default %(default)s'
    )
    add_seed(parser)
    add_jobs(parser)
    return parser.parse_args()


def main(args):
    from imcnn_plugin.synthetic import write_photos

    write_photos(args.out, args.photos, args.seed, args.jobs)


if __name__ == '__main__':
    run_tool(main, parse_args, interrupted='stopped: nothing was written')
