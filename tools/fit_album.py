"""Fits to a checkpoint how the photos of one person are predicted together, for tools/infer.py --person-by."""

import argparse

from mmengine.config import DictAction

from imcnn_cli import run_tool, writable


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint file; its config names the dataset')
    parser.add_argument('--out', type=writable, default='album.json', help='the album (default %(default)s)')
    parser.add_argument('--config', help="config of another dataset, whose data is used instead of the checkpoint's")
    parser.add_argument('--data-root', help="folder of the dataset, instead of the config's")
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override values of the config'
    )
    return parser.parse_args()


def main(args):
    from imcnn_plugin.apis import fit_album

    album, gains = fit_album(args.checkpoint, args.data_root, args.config, args.cfg_options)
    album.save(args.out)
    transient = [name for name, stable in zip(album.classes, album.identity_stable) if not stable]
    print(
        f'{album.identity_stable.sum()} of {len(album.classes)} attributes are identity-stable and pooled; transient: '
        f'{", ".join(transient)}'
    )
    print('Test accuracy in percent by images per identity, and the 95 % interval of the gain over identities:')
    for gain in gains:
        print(
            '  {min_images:>2} or more images: {identities:>4} identities, {images:>5} images, alone {alone:.2f}, '
            'together {together:.2f}, gain {difference:+.2f} ({low:+.2f} to {high:+.2f})'.format(**gain)
        )
    print(f'Written to {args.out}')


if __name__ == '__main__':
    run_tool(main, parse_args)
