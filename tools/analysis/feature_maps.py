"""Draws the paper's Fig. 2, right: a layer's feature maps of one face in several trained networks."""

import argparse

from imcnn_cli import between, run_tool, split_named, writable_figure

FORM = 'NAME=CHECKPOINT'


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'checkpoints',
        nargs='+',
        metavar=FORM,
        help='such as 0.1=work_dirs/a/epoch_12.pth, for lambda = 0.1; a config file before them replaces the data of '
        'their own configs',
    )
    parser.add_argument('--data-root', help="folder of the dataset, instead of the config's")
    face = parser.add_mutually_exclusive_group()
    face.add_argument('--image', metavar='FILE', help='an aligned face')
    face.add_argument('--index', type=int, default=0, help='index of an image in the test split (default 0)')
    parser.add_argument('--layer', default='backbone.layers.conv3', help='default backbone.layers.conv3')
    parser.add_argument('--channels', type=between(0), default=4, help='channels shown besides the mean (default 4)')
    parser.add_argument(
        '--out', required=True, type=writable_figure, metavar='FILE', help='figure to write, such as maps.png'
    )
    return parser.parse_intermixed_args()


def main(args):
    import numpy as np

    from imcnn_plugin.apis import choose_record, layer_maps, open_trained, prepare_batch
    from imcnn_plugin.visualization import plot_feature_maps, save_figure

    config = args.checkpoints.pop(0) if args.checkpoints[0].endswith('.py') else None
    networks, maps, record = split_named(args.checkpoints, FORM), [], None
    for _, checkpoint in networks:
        trained, cfg = open_trained(checkpoint, args.data_root, config)
        record = record or choose_record(cfg, args.image, args.index)
        inputs = trained.model.data_preprocessor(prepare_batch(cfg, [record]))['inputs']
        maps.append(layer_maps(trained.model, args.layer, inputs)[0])
    face = np.moveaxis(inputs[0].cpu().numpy(), 0, 2)
    face = (face - face.min()) / max(np.ptp(face), 1e-6)
    names = [name for name, _ in networks]
    save_figure(plot_feature_maps(face, maps, names, args.layer, args.channels), args.out)
    print(f'Written to {args.out}: {args.layer} of {len(maps)} networks for {record["img_path"]}')


if __name__ == '__main__':
    run_tool(main, parse_args)
