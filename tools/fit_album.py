"""Fits how to combine the predictions for photos of one person, for tools/infer.py --person-by."""

from imcnn_cli import (
    add_cfg_options,
    add_checkpoint,
    add_data_config,
    add_data_root,
    add_out,
    make_parser,
    run_tool,
)


def parse_args():
    parser = make_parser(
        __doc__,
        'work_dirs/imcnn_celeba',
        'work_dirs/imcnn_celeba --data-root data/celeba --out album.json',
    )
    add_checkpoint(parser)
    add_out(parser, 'the album', default='album.json')
    add_data_config(parser)
    add_data_root(parser)
    add_cfg_options(parser)
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
