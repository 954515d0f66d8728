"""Generates a dataset of synthetic faces in CelebA's layout, with all 40 attributes and identities."""

from imcnn_cli import add_jobs, add_out, add_seed, between, make_parser, run_tool


def parse_args():
    parser = make_parser(__doc__, '--out data/faces', '--out data/faces --identities 20 --images 8 --seed 1')
    add_out(parser, 'the dataset', kind='folder')
    parser.add_argument(
        '--identities', type=between(1), default=200, metavar='N', help='number of identities; default %(default)s'
    )
    parser.add_argument(
        '--images', type=between(1), default=20, metavar='N', help='images per identity; default %(default)s'
    )
    add_seed(parser)
    parser.add_argument(
        '--label-noise',
        type=between(0, 1, float),
        default=0.0,
        metavar='P',
        help='probability that a training label is flipped; default %(default)s',
    )
    add_jobs(parser)
    return parser.parse_args()


def main(args):
    from imcnn_plugin.synthetic import write_faces

    write_faces(args.out, args.identities, args.images, args.seed, args.jobs, args.label_noise)


if __name__ == '__main__':
    run_tool(main, parse_args, interrupted='stopped: nothing was written')
