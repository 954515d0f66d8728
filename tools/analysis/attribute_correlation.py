"""Draws the paper's Fig. 2, left: correlations of attribute labels within one identity and across identities."""

from imcnn_cli import CONFIG, add_data_root, add_out, add_seed, add_split, between, make_parser, run_tool


def parse_args():
    parser = make_parser(
        __doc__,
        'configs/imcnn_celeba.py --data-root data/celeba --out correlation.png',
        'configs/imcnn_celeba.py --split test --images 20 --seed 1 --out correlation.png',
    )
    parser.add_argument('config', metavar='CONFIG', help=CONFIG)
    add_data_root(parser)
    add_split(parser, 'train')
    parser.add_argument(
        '--images', type=between(2), default=35, metavar='N', help='images per side; default %(default)s'
    )
    parser.add_argument(
        '--identity', type=int, metavar='N', help='identity number; default the one with the most images'
    )
    add_seed(parser)
    add_out(parser, 'the figure, such as correlation.png', kind='figure')
    return parser.parse_args()


def main(args):
    from imcnn_plugin.engine import build_split, load_config
    from imcnn_plugin.visualization import choose_images, plot_attribute_correlation, save_figure

    records = build_split(load_config(args.config, args.data_root), args.split).data_list
    same, different = choose_images(records.identity, args.images, args.identity, args.seed)
    identity = records.identity[same[0]]
    titles = [f'{len(same)} images of identity {identity}', f'one image each of {len(different)} other identities']
    labels = [records.gt_score[rows] for rows in (same, different)]
    save_figure(plot_attribute_correlation(labels, titles), args.out)
    fewer = f' ({args.images} requested, but the {args.split} split has no more)' if len(same) < args.images else ''
    print(f'Written to {args.out}: {titles[0]}{fewer} beside {titles[1]}')


if __name__ == '__main__':
    run_tool(main, parse_args)
