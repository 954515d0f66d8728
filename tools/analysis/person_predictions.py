"""Draws the paper's Fig. 3: predictions of several networks for one attribute in the images of one identity."""

from imcnn_cli import (
    NAMED_CHECKPOINT,
    add_data_config,
    add_data_root,
    add_named_checkpoints,
    add_out,
    add_split,
    between,
    make_parser,
    run_tool,
    split_named,
)


def number_or_auto(text):
    return None if text == 'auto' else int(text)


def parse_args():
    parser = make_parser(
        __doc__,
        'ATTR=work_dirs/attr_net_celeba IMCNN=work_dirs/imcnn_celeba --out identity.png',
        'IMCNN=work_dirs/imcnn_celeba --attribute Young --identity 2880 --out identity.png',
    )
    add_named_checkpoints(parser)
    parser.add_argument(
        '--attribute', default='Attractive', metavar='NAME', help='attribute that is predicted; default %(default)s'
    )
    parser.add_argument(
        '--identity',
        type=number_or_auto,
        metavar='N',
        help='identity number; default the one on which the first network is least consistent',
    )
    parser.add_argument(
        '--max-images', type=between(1), default=8, metavar='N', help='at most this many images; default %(default)s'
    )
    add_data_config(parser)
    add_data_root(parser)
    add_split(parser, 'test')
    add_out(parser, 'the figure, such as identity.png', kind='figure')
    return parser.parse_intermixed_args()


def main(args):
    from imcnn_plugin.apis import open_trained, predict_identity
    from imcnn_plugin.visualization import plot_identity_predictions, save_figure

    names, networks = [], []
    for name, files in split_named(args.networks, NAMED_CHECKPOINT):
        # In earlier versions, the config of a network came before its checkpoint.
        config, comma, checkpoint = files.rpartition('.py,')
        names.append(name)
        networks.append(open_trained(checkpoint, args.data_root, f'{config}.py' if comma else args.config))
    images, labels, probabilities, thresholds, identity = predict_identity(
        networks, args.attribute, args.identity, args.max_images, args.split
    )
    title = f'identity {identity}'
    figure = plot_identity_predictions(images, labels, probabilities, thresholds, names, args.attribute, title)
    save_figure(figure, args.out)
    print(f'Written to {args.out}: {len(images)} images of {title}')


if __name__ == '__main__':
    run_tool(main, parse_args)
