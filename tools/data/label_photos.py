"""Finds the faces in labelled photos and writes their boxes and attributes in COCO's format, to train a detector on.

  python tools/data/label_photos.py CELEBA_ROOT --ann-file list_attr_celeba.txt --data-prefix img_celeba \
      --split-file list_eval_partition.txt

CELEBA_ROOT gets train.json and val.json. The labels of a photo become those of its largest face; those of the other
faces are unknown.
"""

import argparse
from collections import Counter
from pathlib import Path

from imcnn_cli import run_tool


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', help='folder of the dataset')
    parser.add_argument('--ann-file', required=True, help='CSV file or list of labels in it, as in docs/own_data.md')
    parser.add_argument('--data-prefix', default='', help='folder of the photos in it')
    parser.add_argument('--image-column', default='image', help='default %(default)s')
    splits = parser.add_mutually_exclusive_group()
    splits.add_argument('--split-column', help='the column of splits')
    splits.add_argument('--split-file', help="a file of images and splits, such as CelebA's list_eval_partition.txt")
    parser.add_argument('--splits', nargs='+', default=['train', 'val'], help='default: train val')
    return parser.parse_args()


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
        f'{counts["failed"]} unreadable ones left out; written to {args.root}'
    )


if __name__ == '__main__':
    run_tool(main, parse_args)
