"""Draws the paper's Fig. 2, right: a layer's feature maps of one face in several trained networks."""

from imcnn_cli import (
    NAMED_CHECKPOINT,
    add_data_config,
    add_data_root,
    add_named_checkpoints,
    add_out,
    between,
    make_parser,
    run_tool,
    split_named,
)


def parse_args():
    parser = make_parser(
        __doc__,
        '0=work_dirs/attr_net_celeba 1=work_dirs/imcnn_celeba --out maps.png',
        '0.1=work_dirs/a 10=work_dirs/b --config configs/imcnn_celeba.py --index 7 --out maps.png',
    )
    add_named_checkpoints(parser)
    add_data_config(parser)
    add_data_root(parser)
    face = parser.add_mutually_exclusive_group()
    face.add_argument('--image', metavar='FILE', help='an aligned face')
    face.add_argument(
        '--index', type=int, default=0, metavar='N', help='index of an image in the test split; default %(default)s'
    )
    parser.add_argument('--layer', default='backbone.layers.conv3', help='module of the network; default %(default)s')
    parser.add_argument(
        '--channels',
        type=between(0),
        default=4,
        metavar='N',
        help='channels shown besides the mean; default %(default)s',
    )
    add_out(parser, 'the figure, such as maps.png', kind='figure')
    return parser.parse_intermixed_args()


def main(args):
    import numpy as np

    from imcnn_plugin.apis import choose_record, layer_maps, open_trained, prepare_batch
    from imcnn_plugin.visualization import plot_feature_maps, save_figure

    # In earlier versions, the config was the first argument.
    config = args.networks.pop(0) if args.networks[0].endswith('.py') else args.config
    networks, maps, record = split_named(args.networks, NAMED_CHECKPOINT), [], None
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
