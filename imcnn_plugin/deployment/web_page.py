"""The web page of ``tools/demo.py``, made with gradio: upload a photo, see its faces and their attributes."""

import os
import re
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Optional, Tuple
from unittest.mock import patch

import numpy as np
from markupsafe import Markup
from PIL import Image

from ..apis.inferencer import FaceAttributeInferencer
from ..apis.photos import read_photo
from ..errors import ConfigError, DataError
from ..signals import install_handlers, restore_handlers
from ..templates import render_template
from .face_cards import _render_faces, _render_message

_HEAD = Path(__file__).with_name('web_page_head.html')
# At most this many photos wait, each for less than the age at which uploads are deleted.
_MAX_QUEUED = 500
# Seconds between two clean-ups of uploads, and the age at which they are deleted.
_CLEANING = (60, 1800)


class WebPage:
    """The page: what it does with a photo, and how it is served.

    Args:
        inferencer: Detects faces and predicts.
        title: Name of the model, such as that of its file.
        megabytes: Size of the largest accepted file, in millions of bytes.
        megapixels: The largest number of pixels that is decoded, in millions.
        aligned: Each photo is an aligned face, so none is detected.

    Raises:
        ConfigError: The face detector is missing.
    """

    def __init__(
        self,
        inferencer: FaceAttributeInferencer,
        title: str,
        megabytes: float = 20,
        megapixels: float = 50,
        aligned: bool = False,
    ):
        self.inferencer = inferencer
        self.title = title
        self.megabytes = megabytes
        self.megapixels = megapixels
        self.aligned = aligned
        head = inferencer.trained.cfg.model.head
        self.groups = (head.get('attr_head') or head).groups
        # A missing package fails now, and the first photo takes no longer than others.
        inferencer(np.zeros((218, 178, 3), np.uint8), aligned=aligned)

    def predict(self, path: str, crops: bool = False) -> Tuple[np.ndarray, dict]:
        """The pixels, uint8 BGR ``(H, W, 3)``, and the result of a file.

        Raises:
            DataError: It cannot be read or has too many pixels. The message omits its folder on the server.
        """
        name = Path(path).name
        if (pixels := _count_pixels(path) / 1e6) > self.megapixels:
            raise DataError(
                f'{name} has {pixels:.6g} megapixels, more than the accepted {self.megapixels:g}: shrink it'
            )
        try:
            image = read_photo(path)
        except DataError as error:
            raise DataError(str(error).replace(path, name)) from None
        [result] = self.inferencer(image, aligned=self.aligned, return_crops=crops)
        return image, result

    def show(self, photo: dict) -> Tuple[None, str]:
        """For the page: an empty field for the next photo, and HTML."""
        name = Path(photo['path']).name
        try:
            image, result = self.predict(photo['path'], crops=True)
        except DataError as error:
            return None, _render_message(f'{error}.')
        if not result['faces']:
            return None, _render_message(f'No face was found in {name}.')
        return None, _render_faces(name, image, result['faces'], self.groups)

    def answer(self, photo: Optional[dict]) -> dict:
        """For the API: the faces of a photo or, if there are none, the reason."""
        import gradio as gr

        if photo is None:
            raise gr.Error('no photo was sent', print_exception=False)
        try:
            image, result = self.predict(photo['path'])
        except DataError as error:
            raise gr.Error(str(error), print_exception=False) from None
        height, width = image.shape[:2]
        return dict(width=width, height=height, faces=result['faces'], reason=result['reason'])

    def build(self):
        """Builds the page, a ``gradio.Blocks``."""
        import gradio as gr

        # One photo at a time uses all processors. If gradio preprocesses an upload, it leaves empty files.
        options = dict(preprocess=False, concurrency_id='model', concurrency_limit=1)
        kind = 'aligned face' if self.aligned else 'photo'
        intro = Markup(
            '<h1>Face attributes</h1><p>{}. One {} at a time: JPEG, PNG, WebP and others, up to {:g} MB and {:g} '
            'megapixels. Labels are guesses about looks, for research: decide nothing about a person by them. Photos '
            'are deleted within the hour.</p>'
        ).format(self.title, kind, self.megabytes, self.megapixels)
        with gr.Blocks(title='Face attributes', analytics_enabled=False, delete_cache=_CLEANING) as page:
            gr.HTML(intro, elem_id='intro')
            photo = gr.File(label=kind.capitalize(), height=140, elem_id='photo')
            gr.HTML('<p class="message" role="alert"></p>', elem_id='rejected')
            faces = gr.HTML(elem_id='faces', apply_default_css=False)
            photo.upload(self.show, photo, [photo, faces], api_visibility='private', **options)
            program = gr.Button(visible=False)
            program.click(self.answer, photo, gr.JSON(visible=False), api_name='predict', **options)
        # An open API would bypass the queue.
        return page.queue(api_open=False, max_size=_MAX_QUEUED)

    def serve(self, host: str = '127.0.0.1', port: int = 7860) -> None:
        """Serves the page until the process is interrupted or terminated.

        Raises:
            ConfigError: The address or port cannot be used.
        """
        import safehttpx
        from starlette.routing import Route

        with ExitStack() as stack:
            stack.callback(restore_handlers, install_handlers(signal.default_int_handler, signal.SIGTERM))
            # gradio downloads URLs that clients send and serves the content; that is disabled.
            stack.enter_context(patch.object(safehttpx, 'async_validate_url', _reject_address))
            # Other pages on this machine would share the default folder. A proxy must not be used for this page.
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix='face_attributes_'))
            settings = dict(GRADIO_TEMP_DIR=folder, GRADIO_ANALYTICS_ENABLED='False', NO_PROXY='*', no_proxy='*')
            stack.enter_context(patch.dict(os.environ, settings))
            page = self.build()
            try:
                page.launch(
                    server_name=host,
                    server_port=port,
                    max_file_size=round(self.megabytes * 1e6),
                    theme=_light_theme(),
                    head=render_template(_HEAD, dict(megabytes=f'{self.megabytes:g}')),
                    footer_links=[],
                    run_history=False,
                    enable_monitoring=False,
                    share=False,
                    ssr_mode=False,
                    mcp_server=False,
                    quiet=True,
                    # gradio would write what a visitor sees, with the photo, to a file when asked for a link to it.
                    app_kwargs=dict(routes=[Route('/gradio_api/deep_link', _refuse_link)]),
                    prevent_thread_lock=True,
                    # gradio would keep the last output of each visitor, including the photo.
                    state_session_capacity=1,
                )
            except OSError as error:
                raise ConfigError(f'{host} has no free port {port}: choose others with --host and --port') from error
            print(f'{page.local_url} (Ctrl-C ends it)', flush=True)
            page.block_thread()


def _light_theme():
    """A ``gradio.themes.Base``: dark on white regardless of the browser's preference, in system fonts."""
    import gradio as gr

    theme = gr.themes.Base(font=['system-ui', 'sans-serif'], font_mono=['monospace'])
    for name in [name for name in vars(theme) if name.endswith('_dark')]:
        setattr(theme, name, getattr(theme, name.removesuffix('_dark')))
    return theme


def _count_pixels(path: str) -> int:
    """The number of pixels of an image, before it is decoded; 0 for another file."""
    try:
        with Image.open(path) as image:
            return image.width * image.height
    except Image.DecompressionBombError as error:
        # Above 179 million, Pillow reports the number only here.
        return int(re.search(r'\d+', str(error))[0])
    except Exception:
        # Each of Pillow's readers has its own exceptions; read_photo reports what is wrong.
        return 0


async def _refuse_link(request):
    from starlette.responses import Response

    return Response(status_code=404)


async def _reject_address(host: str) -> str:
    raise ValueError(f'{host}: URLs are not downloaded, upload the file itself')
