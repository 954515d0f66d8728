"""Draws faces of the test split beside their predicted and labelled attributes."""

import argparse

from imcnn_cli import between, run_tool, writable_figure


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', nargs='?', help="config file whose data is used; default the checkpoint's own")
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--data-root', help="folder of the dataset, instead of the config's")
    parser.add_argument(
        '--num', type=between(1), default=8, help='number of faces, evenly spaced over the split (default 8)'
    )
    parser.add_argument(
        '--out', type=writable_figure, default='predictions.png', help='figure to write (default predictions.png)'
    )
    return parser.parse_args()


def main(args):
    from imcnn_plugin.apis import open_trained, predict_samples
    from imcnn_plugin.visualization import plot_prediction_sheet, save_figure

    trained, cfg = open_trained(args.checkpoint, args.data_root, args.config)
    images, scores, thresholds, targets, classes = predict_samples(trained, cfg, args.num)
    save_figure(plot_prediction_sheet(images, scores, thresholds, targets, classes), args.out, dpi=110)
    print(f'Written to {args.out}: {len(images)} faces')


if __name__ == '__main__':
    run_tool(main, parse_args)
