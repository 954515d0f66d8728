"""Serves a web page: drop a photo, see its faces and their attributes.

It has no passwords: by default it listens on this machine alone.
"""

import argparse
import sys
from pathlib import Path

from imcnn_plugin.apis import FaceAttributeInferencer
from imcnn_plugin.deployment.web_page import WebPage
from imcnn_plugin.errors import IMCNNError


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--checkpoint', required=True, help='checkpoint of a training, or a published one')
    parser.add_argument('--host', default='127.0.0.1', help='address to listen on (default %(default)s)')
    parser.add_argument('--port', type=int, default=7860, help='port to listen on (default %(default)s)')
    parser.add_argument('--max-mb', type=float, default=20, help='largest file that is taken (default %(default)s)')
    parser.add_argument(
        '--max-megapixels', type=float, default=50, help='largest photo that is decoded (default %(default)s)'
    )
    parser.add_argument('--aligned', action='store_true', help="the photos are aligned faces, as CelebA's are")
    parser.add_argument('--device', help='such as cpu or cuda:1; default a GPU if there is one')
    parser.add_argument('--amp', action='store_true', help='predict in bfloat16')
    parser.add_argument(
        '--detect-pixels',
        type=int,
        default=640 * 480,
        help='photos are shrunk to so many to look for faces of 20 pixels and more (default %(default)s)',
    )
    args = parser.parse_args()
    if min(args.max_mb, args.max_megapixels, args.detect_pixels) <= 0:
        parser.error('--max-mb, --max-megapixels and --detect-pixels are above 0')
    return args


def main():
    args = parse_args()
    try:
        # Of what is missing the user hears before a model is read.
        import gradio  # noqa: F401
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error.name} is missing: pip install 'imcnn_plugin[demo]'")
    try:
        precision = 'bf16' if args.amp else 'fp32'
        inferencer = FaceAttributeInferencer(args.checkpoint, args.device, precision, args.detect_pixels)
        title = Path(args.checkpoint).name
        WebPage(inferencer, title, args.max_mb, args.max_megapixels, args.aligned).serve(args.host, args.port)
    except IMCNNError as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
