"""Predicts the attributes of the faces in photos and writes them to tables.

The exit status is 0 if every photo could be read, 1 if some could not, and 2 if nothing was done.
"""

import argparse
import sys

from imcnn_plugin.apis import Album, FaceAttributeInferencer, infer_photos, list_photos
from imcnn_plugin.errors import IMCNNError


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('photos', nargs='*', metavar='PHOTO', help='files, or folders with all that is in them')
    parser.add_argument('--input', metavar='FILE', help='a file with a path a line; - is the standard input')
    parser.add_argument('--checkpoint', required=True, help='checkpoint of a training, or a published one')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder of the tables')
    parser.add_argument('--draw', action='store_true', help='draw the photos with their faces to DIR/drawn')
    parser.add_argument('--aligned', action='store_true', help="the photos are aligned faces, as CelebA's are")
    parser.add_argument(
        '--person-by',
        metavar='folder|FILE',
        help="folder: a folder is a person; or a CSV file: columns 'file', 'person'",
    )
    parser.add_argument('--album', metavar='FILE', help='of tools/fit_album.py, for --person-by')
    parser.add_argument('--device', help='such as cpu or cuda:1; default a GPU if there is one')
    parser.add_argument('--amp', action='store_true', help='predict in bfloat16')
    parser.add_argument('--batch-size', type=int, default=32, help='faces at once (default %(default)s)')
    parser.add_argument(
        '--detect-pixels',
        type=int,
        default=640 * 480,
        help='photos are shrunk to so many to look for faces of 20 pixels and more (default %(default)s)',
    )
    args = parser.parse_args()
    if bool(args.person_by) != bool(args.album):
        parser.error('--person-by and --album go together')
    if not args.photos and not args.input:
        parser.error('no photos')
    if args.batch_size < 1 or args.detect_pixels < 1:
        parser.error('--batch-size and --detect-pixels are 1 or more')
    return args


def main():
    args = parse_args()
    try:
        lines = []
        if args.input:
            with open(0 if args.input == '-' else args.input, encoding='utf-8', errors='surrogateescape') as file:
                lines = [line.rstrip('\r\n') for line in file if line.strip()]
        photos = [str(photo) for photo in list_photos([*args.photos, *lines])]
        album = Album.load(args.album) if args.album else None
        precision = 'bf16' if args.amp else 'fp32'
        inferencer = FaceAttributeInferencer(args.checkpoint, args.device, precision, args.detect_pixels)
        counts = infer_photos(
            inferencer,
            photos,
            args.out,
            args.checkpoint,
            args.batch_size,
            args.aligned,
            album,
            args.person_by,
            args.draw,
        )
    except (IMCNNError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print('\nstopped: nothing was written', file=sys.stderr)
        sys.exit(2)
    print(
        f'{counts["photos"]} photos, {counts["faces"]} faces, {counts["without"]} photos without a face, '
        f'{counts["failed"]} that cannot be read; {counts["seconds"]:.1f} s, '
        f'{counts["photos"] / counts["seconds"]:.1f} photos/s; written to {args.out}'
    )
    sys.exit(1 if counts['failed'] else 0)


if __name__ == '__main__':
    main()
