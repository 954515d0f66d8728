"""Strips a checkpoint to what inference needs, for publishing, and lists what was dropped."""

from imcnn_cli import add_checkpoint, add_out, make_parser, run_tool


def parse_args():
    parser = make_parser(__doc__, 'work_dirs/imcnn_celeba --out published', 'calibrated.pth --out imcnn.pth')
    add_checkpoint(parser)
    add_out(
        parser,
        'the stripped checkpoint, into whose name the start of its SHA-256 is inserted; or, without .pth, a folder',
        type=str,
    )
    return parser.parse_args()


def main(args):
    from imcnn_plugin.deployment import publish

    published = publish(args.checkpoint, args.out)
    before, after = (size / 1e6 for size in (published.bytes_before, published.bytes_after))
    print(
        f'Written to {published.path}: {after:.1f} MB, {100 * (1 - after / before):.0f} % less than {before:.1f} MB.'
    )
    print(f'Dropped: {", ".join(published.dropped) or "nothing"}.')
    if published.paths:
        print(f'Absolute paths were reduced to file names: {", ".join(published.paths)}.')


if __name__ == '__main__':
    run_tool(main, parse_args)
