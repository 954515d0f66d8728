"""Detects the faces in labelled photos and writes their boxes and attributes in COCO format, to train a detector.

train.json and val.json are written to DATA_ROOT. A photo's labels are assigned to its largest face; the labels of the
other faces are unknown.
"""

from collections import Counter
from pathlib import Path

from imcnn_cli import DATA_ROOT, make_parser, run_tool


def parse_args():
    parser = make_parser(
        __doc__,
        'data/celeba --ann-file list_attr_celeba.txt --data-prefix img_celeba --split-file list_eval_partition.txt',
        'data/own --ann-file labels.csv --data-prefix photos --split-column split',
    )
    parser.add_argument('root', metavar='DATA_ROOT', help=DATA_ROOT)
    parser.add_argument(
        '--ann-file',
        required=True,
        metavar='FILE',
        help='CSV file or list of labels in DATA_ROOT, as in docs/own_data.md',
    )
    parser.add_argument('--data-prefix', default='', help='folder of the images in DATA_ROOT; default itself')
    parser.add_argument('--image-column', default='image', help='column of the image paths; default %(default)s')
    splits = parser.add_mutually_exclusive_group()
    splits.add_argument('--split-column', help='column of the splits')
    splits.add_argument(
        '--split-file', metavar='FILE', help="file of images and splits, such as CelebA's list_eval_partition.txt"
    )
    parser.add_argument('--splits', nargs='+', default=['train', 'val'], help='splits to label; default train val')
    args = parser.parse_args()
    if len(args.splits) > 1 and not (args.split_column or args.split_file):
        parser.error(f'{", ".join(args.splits)} would be the same photos: give --split-column or --split-file')
    return args


def main(args):
    from imcnn_plugin.apis import FaceDetector, label_photos
    from imcnn_plugin.datasets import AttributeCSV, write_coco
    from imcnn_plugin.files import writable
    from imcnn_plugin.progress import track

    detector, counts = FaceDetector(), Counter()
    for split in args.splits:
        path = writable(Path(args.root, f'{split}.json'))
        dataset = AttributeCSV(
            args.ann_file,
            args.root,
            args.data_prefix,
            image_column=args.image_column,
            split_column=args.split_column,
            split_file=args.split_file,
            split=split,
        )
        photos = label_photos(dataset, detector, counts)
        write_coco(path, track(photos, split, len(dataset)), dataset.metainfo['classes'])
    print(
        f'{counts["photos"]} photos, {counts["faces"]} faces, {counts["without"]} photos without a face and '
        f'{counts["failed"]} unreadable ones skipped; written to {args.root}'
    )


if __name__ == '__main__':
    run_tool(main, parse_args)
