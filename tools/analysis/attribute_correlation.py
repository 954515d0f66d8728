"""Draws the paper's Fig. 2, left: correlations of attribute labels within one identity and across identities."""

import argparse

from imcnn_cli import between, run_tool, writable_figure


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file, for its dataset')
    parser.add_argument('--data-root', help="dataset directory, instead of the config's")
    parser.add_argument('--split', default='train', help='dataset split (default train)')
    parser.add_argument('--images', type=between(2), default=35, help='images per side (default 35)')
    parser.add_argument('--identity', type=int, help='identity; default the one with the most images')
    parser.add_argument('--seed', type=between(0), default=0, help='random seed (default 0)')
    parser.add_argument(
        '--out', required=True, type=writable_figure, metavar='FILE', help='figure to write, such as correlation.png'
    )
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
