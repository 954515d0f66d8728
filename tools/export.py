"""Writes a checkpoint as an ONNX file that takes uint8 RGB images, checked against PyTorch in ONNX Runtime."""

import argparse
import sys
from pathlib import Path

from imcnn_plugin.deployment import export_onnx
from imcnn_plugin.errors import IMCNNError


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint file; the config is in it')
    parser.add_argument('--out', required=True, metavar='FILE', help='the ONNX file')
    parser.add_argument('--data-root', help="check on the test part of this data set's folder, not on drawn faces")
    parser.add_argument('--images', type=int, default=32, help='number of images to check on; default %(default)s')
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        found = export_onnx(args.checkpoint, args.out, args.data_root, args.images)
    except IMCNNError as error:
        sys.exit(f'error: {error}')
    size = Path(args.out).stat().st_size / 1e6
    differences = ', '.join(f'{value:.1e} in batches of {batch}' for batch, value in found.differences.items())
    print(f'Written to {args.out}, {size:.1f} MB.')
    print(f'ONNX Runtime and PyTorch: probabilities differ by at most {differences}.')
    print(f'{found.same_labels} of {found.labels} labels are the same.')


if __name__ == '__main__':
    main()
