"""Detects a face in each photo of a folder and writes it, aligned like CelebA's, to the same path in another folder.

Label lists beside the photos are copied, so that the new folder is also a dataset. If no face is detected, the photo
is center-cropped; not_aligned.txt lists these photos. After an interruption, the same command resumes.

The exit status is 1 if a photo could not be read.
"""

import sys

from imcnn_cli import DATA_ROOT, add_jobs, add_out, between, make_parser, run_tool


def parse_args():
    parser = make_parser(
        __doc__, 'data/lfwa --out data/lfwa_aligned', 'photos --out data/small --size 89 109 --jobs 2'
    )
    parser.add_argument('source', metavar='DATA_ROOT', help=f'{DATA_ROOT}, or any photos')
    add_out(parser, 'the aligned pictures', kind='folder')
    parser.add_argument(
        '--size',
        nargs=2,
        type=between(1, 65535),
        metavar=('WIDTH', 'HEIGHT'),
        help="width and height of the images; default 178 218, CelebA's; for LFWA 170 208, which its configs crop",
    )
    add_jobs(parser)
    return parser.parse_args()


def main(args):
    from imcnn_plugin.apis import align_folder

    counts = align_folder(args.source, args.out, args.size and tuple(args.size), args.jobs)
    before = f' ({counts["before"]} of them before)' if counts['before'] else ''
    aligned = counts['photos'] - counts['without'] - counts['failed']
    print(
        f'{counts["photos"]} photos{before}, {aligned} faces aligned, {counts["without"]} photos without a face, of '
        f'which the middle was cut out, {counts["failed"]} failed; {counts["seconds"]:.1f} s; written to {args.out}'
    )
    if counts['without'] or counts['failed']:
        print(f'{args.out}/not_aligned.txt lists those without a face and those that failed.')
    sys.exit(int(counts['failed'] > 0))


if __name__ == '__main__':
    run_tool(main, parse_args, interrupted='stopped: the same command resumes')
