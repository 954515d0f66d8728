"""Draws the right half of the paper's Fig. 2: a layer's maps of one face in several trained networks."""

import argparse
import sys

import numpy as np

from imcnn_plugin.apis import choose_record, load_model, prepare_batch, split_names
from imcnn_plugin.engine import load_config
from imcnn_plugin.errors import IMCNNError
from imcnn_plugin.visualization import draw_feature_maps, layer_maps

FORM = 'NAME=CHECKPOINT'


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file of all checkpoints')
    parser.add_argument(
        'checkpoints', nargs='+', metavar=FORM, help='such as 0.1=work_dirs/a/epoch_12.pth, for lambda = 0.1'
    )
    parser.add_argument('--data-root', help="the data set's folder, in place of the config's")
    face = parser.add_mutually_exclusive_group()
    face.add_argument('--image', metavar='FILE', help='a face')
    face.add_argument('--index', type=int, default=0, help='or the number of an image of the test part (default 0)')
    parser.add_argument('--layer', default='backbone.layers.conv3', help='default backbone.layers.conv3')
    parser.add_argument('--channels', type=int, default=4, help='channels beside the mean (default 4)')
    parser.add_argument('--out', required=True, metavar='FILE', help='the picture, such as maps.png')
    args = parser.parse_intermixed_args()
    try:
        cfg = load_config(args.config, args.data_root)
        networks = split_names(args.checkpoints, FORM)
        record = choose_record(cfg, args.image, args.index)
        maps = []
        for _, checkpoint in networks:
            model = load_model(cfg, checkpoint)
            inputs = model.data_preprocessor(prepare_batch(cfg, [record]))['inputs']
            maps.append(layer_maps(model, args.layer, inputs)[0])
        face = np.moveaxis(inputs[0].cpu().numpy(), 0, 2)
        face = (face - face.min()) / max(np.ptp(face), 1e-6)
        draw_feature_maps(face, maps, [name for name, _ in networks], args.out, args.layer, args.channels)
    except IMCNNError as error:
        sys.exit(f'error: {error}')
    print(f'{args.layer} of {len(maps)} networks for {record["img_path"]} drawn to {args.out}')


if __name__ == '__main__':
    main()
