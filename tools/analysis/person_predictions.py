"""Draws the paper's Fig. 3: predictions of several networks for one attribute in the images of one identity."""

import argparse

from imcnn_cli import between, run_tool, split_named, writable_figure

FORM = 'NAME=CHECKPOINT'
AUTO = 'auto (default): the one on which the first network is least consistent'


def number_or_auto(text):
    return None if text == 'auto' else int(text)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'networks',
        nargs='+',
        metavar=FORM,
        help='the dataset is that of the first one; NAME=CONFIG,CHECKPOINT takes the data of another config',
    )
    parser.add_argument('--attribute', default='Attractive', help='default Attractive')
    parser.add_argument('--identity', type=number_or_auto, default='auto', help=f'identity number, or {AUTO}')
    parser.add_argument('--max-images', type=between(1), default=8, help='at most this many images (default 8)')
    parser.add_argument('--data-root', help="folder of the dataset, instead of the configs'")
    parser.add_argument('--split', default='test', help='split of the dataset (default test)')
    parser.add_argument(
        '--out', required=True, type=writable_figure, metavar='FILE', help='figure to write, such as identity.png'
    )
    return parser.parse_intermixed_args()


def main(args):
    from imcnn_plugin.apis import open_trained, predict_identity
    from imcnn_plugin.visualization import plot_identity_predictions, save_figure

    names, networks = [], []
    for name, files in split_named(args.networks, FORM):
        config, comma, checkpoint = files.rpartition('.py,')
        names.append(name)
        networks.append(open_trained(checkpoint, args.data_root, f'{config}.py' if comma else None))
    images, labels, probabilities, thresholds, identity = predict_identity(
        networks, args.attribute, args.identity, args.max_images, args.split
    )
    title = f'identity {identity}'
    figure = plot_identity_predictions(images, labels, probabilities, thresholds, names, args.attribute, title)
    save_figure(figure, args.out)
    print(f'Written to {args.out}: {len(images)} images of {title}')


if __name__ == '__main__':
    run_tool(main, parse_args)
