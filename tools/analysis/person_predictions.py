"""Draws the paper's Fig. 3: what several networks say about one attribute in the images of one person."""

import argparse
import sys

from imcnn_plugin.apis import predict_person, split_names
from imcnn_plugin.engine import load_config
from imcnn_plugin.errors import IMCNNError
from imcnn_plugin.visualization import draw_person_predictions

FORM = 'NAME=CONFIG,CHECKPOINT'
AUTO = 'auto: of those with 4 images and one label, the one about whom the first network is most torn (default)'


def number_or_auto(text):
    return None if text == 'auto' else int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('networks', nargs='+', metavar=FORM, help='the data set is that of the first config')
    parser.add_argument('--attribute', default='Attractive', help='default Attractive')
    parser.add_argument('--identity', type=number_or_auto, default='auto', help=f"a person's number, or {AUTO}")
    parser.add_argument('--max-images', type=int, default=8, help='images, the first of the person (default 8)')
    parser.add_argument('--data-root', help="the data set's folder, in place of the configs'")
    parser.add_argument('--split', default='test', help='part of the data (default test)')
    parser.add_argument('--out', required=True, metavar='FILE', help='the picture, such as person.png')
    args = parser.parse_intermixed_args()
    try:
        names, configs, checkpoints = zip(*split_names(args.networks, FORM))
        cfgs = [load_config(config, args.data_root) for config in configs]
        images, labels, probabilities, thresholds, person = predict_person(
            cfgs, checkpoints, args.attribute, args.identity, args.max_images, args.split
        )
        about = f'identity {person}'
        draw_person_predictions(images, labels, probabilities, thresholds, names, args.attribute, args.out, about)
    except IMCNNError as error:
        sys.exit(f'error: {error}')
    print(f'{len(images)} images of {about} drawn to {args.out}')


if __name__ == '__main__':
    main()
