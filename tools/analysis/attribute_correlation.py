"""Draws the left half of the paper's Fig. 2: how alike the labels are of one person's images and of many persons'."""

import argparse
import sys

from imcnn_plugin.engine import load_config, open_part
from imcnn_plugin.errors import IMCNNError
from imcnn_plugin.visualization import choose_images, draw_attribute_correlation


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file, for its data set')
    parser.add_argument('--data-root', help="the data set's folder, in place of the config's")
    parser.add_argument('--split', default='train', help='part of the data (default train)')
    parser.add_argument('--images', type=int, default=35, help='images on each side (default 35)')
    parser.add_argument('--identity', type=int, help='whose images; default the one with the most')
    parser.add_argument('--seed', type=int, default=0, help='draws the images (default 0)')
    parser.add_argument('--out', required=True, metavar='FILE', help='the picture, such as correlation.png')
    args = parser.parse_args()
    try:
        records = open_part(load_config(args.config, args.data_root), args.split).data_list
        same, different = choose_images(records.identity, args.images, args.identity, args.seed)
        person = records.identity[same[0]]
        titles = [f'{len(same)} images of identity {person}', f'one image each of {len(different)} other identities']
        draw_attribute_correlation([records.gt_score[rows] for rows in (same, different)], titles, args.out)
    except IMCNNError as error:
        sys.exit(f'error: {error}')
    fewer = f' ({args.images} were asked for, the {args.split} part has no more)' if len(same) < args.images else ''
    print(f'{titles[0]}{fewer} beside {titles[1]} drawn to {args.out}')


if __name__ == '__main__':
    main()
