"""Serves a web page: drop or paste photos, see the attributes of their faces, download them as CSV or JSON.

It has no authentication: by default it listens on this machine only.
"""

from pathlib import Path

from imcnn_cli import (
    add_checkpoint,
    add_inferencer_arguments,
    between,
    make_inferencer,
    make_parser,
    parse_checkpoint_first,
    run_tool,
)


def parse_args():
    parser = make_parser(__doc__, 'work_dirs/imcnn_celeba', 'work_dirs/imcnn_celeba --consistent --port 8080')
    add_checkpoint(parser)
    add_inferencer_arguments(parser)
    parser.add_argument('--host', default='127.0.0.1', help='address to listen on; default %(default)s')
    parser.add_argument(
        '--port', type=between(1, 65535), default=7860, metavar='N', help='port to listen on; default %(default)s'
    )
    size = between(0.001, 1e6, float)
    parser.add_argument(
        '--max-mb', type=size, default=20, metavar='X', help='largest accepted file; default %(default)s'
    )
    parser.add_argument(
        '--max-megapixels',
        type=size,
        default=50,
        metavar='X',
        help='largest photo that is decoded; default %(default)s',
    )
    return parse_checkpoint_first(parser)


def main(args):
    from imcnn_plugin.deployment import WebPage
    from imcnn_plugin.errors import ConfigError

    try:
        # Report a missing package before loading the model.
        import gradio  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is missing: pip install 'imcnn_plugin[demo]'") from None
    title = Path(args.checkpoint).name
    page = WebPage(make_inferencer(args), title, args.max_mb, args.max_megapixels, args.aligned)
    page.serve(args.host, args.port)


if __name__ == '__main__':
    run_tool(main, parse_args)
