"""Exports a checkpoint as an ONNX file that takes uint8 RGB images, verified against PyTorch in ONNX Runtime."""

from pathlib import Path

from imcnn_cli import add_checkpoint, add_out, between, make_parser, run_tool


def parse_args():
    parser = make_parser(
        __doc__,
        'work_dirs/imcnn_celeba --out model.onnx',
        'work_dirs/imcnn_celeba --out model.onnx --data-root data/celeba --detector',
    )
    add_checkpoint(parser)
    add_out(parser, 'the network in ONNX; a .json beside it describes it')
    parser.add_argument(
        '--data-root', metavar='DIR', help='verify on the test split in this folder instead of synthetic faces'
    )
    parser.add_argument(
        '--images', type=between(1), default=32, metavar='N', help='images to verify on; default %(default)s'
    )
    parser.add_argument(
        '--detector', action='store_true', help="also write the face detector's ONNX files to the same folder"
    )
    return parser.parse_args()


def main(args):
    from imcnn_plugin.deployment import export_detector, export_onnx

    # First, since it fails immediately if its package is missing.
    paths = export_detector(Path(args.out).parent) if args.detector else []
    found = export_onnx(args.checkpoint, args.out, args.data_root, args.images)
    size = Path(args.out).stat().st_size / 1e6
    differences = ', '.join(f'{value:.1e} in batches of {batch}' for batch, value in found.differences.items())
    print(f'Written to {args.out}, {size:.1f} MB.')
    print(f'ONNX Runtime and PyTorch: probabilities differ by at most {differences}.')
    print(f'{found.same_labels} of {found.labels} labels are the same.')
    if paths:
        print(f'The face detector: {", ".join(path.name for path in paths)}.')


if __name__ == '__main__':
    run_tool(main, parse_args)
