"""Predicts the attributes of the faces in photos or videos and writes them to tables.

The exit status is 0 if every photo was predicted, 1 if some could not be, and 2 after an error.
"""

import os
import sys
from collections import Counter

from imcnn_cli import (
    add_checkpoint,
    add_inferencer_arguments,
    add_jobs,
    add_out,
    between,
    make_inferencer,
    make_parser,
    parse_checkpoint_first,
    run_tool,
)


def parse_args():
    parser = make_parser(
        __doc__,
        'work_dirs/imcnn_celeba photos --out results --draw',
        'work_dirs/imcnn_celeba clip.mp4 --out results --fps 2',
    )
    add_checkpoint(parser)
    parser.add_argument('photos', nargs='*', metavar='PHOTO', help='photos, folders of photos, or videos')
    parser.add_argument(
        '--input',
        metavar='FILE',
        help='file with one path per line, or the output of find -print0; - is standard input',
    )
    add_inferencer_arguments(parser)
    add_out(parser, 'the tables', kind='folder')
    parser.add_argument(
        '--overwrite', action='store_true', help='start again instead of resuming from the tables in DIR'
    )
    parser.add_argument(
        '--draw', action='store_true', help='write the photos or videos with boxes and labels to DIR/drawn'
    )
    parser.add_argument(
        '--person-by',
        metavar='folder|FILE',
        help="folder: each folder shows one person; or a CSV file with the columns 'file' and 'person'",
    )
    parser.add_argument(
        '--album', metavar='FILE', help='file of tools/fit_album.py; required with --person-by, optional for videos'
    )
    parser.add_argument(
        '--fps',
        type=between(0.001, kind=float),
        default=5.0,
        metavar='X',
        help='frames of a video to process per second; default %(default)s',
    )
    parser.add_argument(
        '--batch-size', type=between(1), default=32, metavar='N', help='faces per forward pass; default %(default)s'
    )
    add_jobs(parser)
    args = parse_checkpoint_first(parser)
    if not args.photos and not args.input:
        parser.error('no photos')
    from imcnn_plugin.apis import is_video
    from imcnn_plugin.files import read_paths

    args.photos += read_paths(args.input) if args.input else []
    videos = [is_video(path) and not os.path.isdir(path) for path in args.photos]
    args.videos = any(videos)
    if args.videos and not all(videos):
        parser.error('photos and videos must not be given together')
    if args.videos and (args.aligned or args.person_by):
        parser.error('--aligned and --person-by are for photos, not for videos')
    if not args.videos and bool(args.person_by) != bool(args.album):
        parser.error('--person-by and --album must be used together')
    return args


def predict_videos(args):
    from imcnn_plugin.apis import Album, infer_videos

    counts = infer_videos(
        make_inferencer(args, args.jobs or 1),
        args.photos,
        args.out,
        args.checkpoint,
        args.batch_size,
        args.fps,
        Album.load(args.album) if args.album else None,
        args.draw,
        args.overwrite,
    )
    before = f' ({counts["before"]} of them before)' if counts['before'] else ''
    print(
        f'{counts["videos"]} videos{before}, {counts["people"]} people in {counts["frames"]} frames, '
        f'{counts["failed"]} failed; {counts["seconds"]:.1f} s; written to {args.out}'
    )
    return counts['failed']


def predict_photos(args):
    from imcnn_plugin.apis import Album, infer_photos, list_photos
    from imcnn_plugin.parallel import default_jobs

    left_out, drawn = Counter(), os.path.realpath(os.path.join(args.out, 'drawn'))
    photos = []
    for photo in list_photos(args.photos, left_out):
        # The output folder may be inside the photo folder.
        if os.path.realpath(os.path.dirname(photo)) == drawn:
            left_out['drawn before'] += 1
        else:
            photos.append(str(photo))
    album = Album.load(args.album) if args.album else None
    counts = infer_photos(
        make_inferencer(args, args.jobs or default_jobs(len(photos), 500)),
        photos,
        args.out,
        args.checkpoint,
        args.batch_size,
        args.aligned,
        album,
        args.person_by,
        args.draw,
        args.overwrite,
    )
    before = f' ({counts["before"]} of them before)' if counts['before'] else ''
    print(
        f'{counts["photos"]} photos{before}, {counts["faces"]} faces, {counts["without"]} photos without a face, '
        f'{counts["failed"]} failed; {counts["seconds"]:.1f} s, '
        f'{(counts["photos"] - counts["before"]) / counts["seconds"]:.1f} photos/s; written to {args.out}'
    )
    if counts['shrunk']:
        print(
            f'{counts["shrunk"]} photos were shrunk for detection: smallest_face in '
            'predictions.json is the side of the smallest faces that are detected; a higher --detect-pixels detects '
            'smaller ones.'
        )
    if counts['undrawn']:
        print(f'{counts["undrawn"]} photos could not be read again to be drawn.')
    if left_out:
        kinds = ', '.join(f'{number} {kind}' for kind, number in left_out.most_common())
        print(f'Skipped in the folders: {left_out.total()} files ({kinds}).')
    return counts['failed']


def main(args):
    if failed := predict_videos(args) if args.videos else predict_photos(args):
        print('The column error of the tables says what failed.')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    run_tool(main, parse_args, error_status=2, interrupted='stopped: the same command goes on from here')
