"""Draws faces of a config's test part beside their predicted and their true attributes."""

import argparse
import sys

from imcnn_plugin.apis import predict_samples
from imcnn_plugin.engine import load_config
from imcnn_plugin.errors import IMCNNError
from imcnn_plugin.visualization import draw_prediction_sheet


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--data-root', help="the data set's folder, in place of the config's")
    parser.add_argument('--num', type=int, default=8, help='number of faces, taken evenly over the part (default 8)')
    parser.add_argument('--out', default='predictions.png', help='the picture (default predictions.png)')
    args = parser.parse_args()
    try:
        cfg = load_config(args.config, args.data_root)
        images, scores, thresholds, targets, classes = predict_samples(cfg, args.checkpoint, args.num)
        draw_prediction_sheet(images, scores, thresholds, targets, classes, args.out)
    except IMCNNError as error:
        sys.exit(f'error: {error}')
    print(f'{len(images)} faces drawn to {args.out}')


if __name__ == '__main__':
    main()
