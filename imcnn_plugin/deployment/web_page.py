"""The web page of ``tools/demo.py``, made with gradio: upload photos, see their faces and their attributes."""

import os
import re
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Callable, Iterable, Optional, Sequence, Tuple
from unittest.mock import patch

import numpy as np
from markupsafe import Markup
from PIL import Image

from ..apis import FaceAttributeInferencer, format_results, read_photo, register_heic
from ..errors import ConfigError, DataError
from ..signals import install_handlers, restore_handlers
from ..synthetic import draw_example
from ..templates import render_template
from .face_cards import _Photo, _render_message, _render_photos

_HEAD = Path(__file__).with_name('web_page_head.html')
# Maximum number of photos at once; tools/infer.py is for more.
_MAX_PHOTOS = 20
# At most this many uploads wait, each for less than the age at which uploads are deleted.
_MAX_QUEUED = 500
# Seconds between two clean-ups of uploads, and the age at which they are deleted.
_CLEANING = (60, 1800)
# Screen readers read the result or the message, and it scrolls into view.
_FOCUS = "watch('value', () => element.querySelector('[tabindex]').focus());"


class WebPage:
    """The page: processes photos and is served by gradio.

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
        # Before the size of the first photo is checked.
        register_heic()
        # A missing package fails now, and the first photo takes no longer than the others.
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

    def show(self, photos: Sequence[dict], track: Callable[[Iterable], Iterable] = iter) -> Tuple[None, str]:
        """For the page: an empty field for the next photos, and HTML."""
        if len(photos) > _MAX_PHOTOS:
            return None, _render_message(
                f'{len(photos)} photos are more than the accepted {_MAX_PHOTOS}: choose fewer.'
            )
        return None, self._render([self._find_faces(photo['path']) for photo in track(photos)])

    def show_example(self) -> str:
        """HTML of a drawn face."""
        image = draw_example()
        [result] = self.inferencer(image, aligned=self.aligned, return_crops=True)
        return self._render([_Photo('example.png', image, result)])

    def _find_faces(self, path: str) -> _Photo:
        name = Path(path).name
        try:
            return _Photo(name, *self.predict(path, crops=True))
        except DataError as error:
            failed = dict(path=name, size=None, smallest_face=None, faces=[], reason=str(error), failed=True)
            return _Photo(name, None, failed)

    def _render(self, photos: Sequence[_Photo]) -> str:
        results = []
        for name, _, result in photos:
            faces = [{key: value for key, value in face.items() if key != 'crop'} for face in result['faces']]
            results.append(result | dict(path=name, faces=faces))
        return _render_photos(
            photos, self.inferencer.trained.groups, format_results(results, self.title, self.inferencer.classes)
        )

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
        found = {key: result[key] for key in ('smallest_face', 'faces', 'reason')}
        return dict(width=width, height=height, **found)

    def build(self):
        """Builds the page, a ``gradio.Blocks``."""
        import gradio as gr

        # One photo at a time uses all processors. If gradio preprocesses an upload, it leaves empty files.
        options = dict(preprocess=False, concurrency_id='model', concurrency_limit=1)
        kind = 'aligned face' if self.aligned else 'photo'
        intro = Markup(
            '<h1>Face attributes</h1><p>{}. Drop {}s below, or paste one: up to {} at once, JPEG, PNG, WebP and '
            'others, each up to {:g} MB and {:g} megapixels. Labels are guesses about looks, for research: decide '
            'nothing about a person by them. Photos are deleted within the hour.</p>'
        ).format(self.title, kind, _MAX_PHOTOS, self.megabytes, self.megapixels)
        with gr.Blocks(title='Face attributes', analytics_enabled=False, delete_cache=_CLEANING) as page:
            gr.HTML(intro, elem_id='intro')
            photos = gr.File(label=f'{kind.capitalize()}s', file_count='multiple', height=140, elem_id='photo')
            example = gr.Button('Try a drawn face', size='sm', elem_id='example')
            gr.HTML('<p class="message" role="alert" tabindex="-1"></p>', elem_id='rejected')
            faces = gr.HTML(elem_id='faces', apply_default_css=False, js_on_load=_FOCUS)

            def show(photos: Sequence[dict], progress=gr.Progress()):  # noqa: B008
                return self.show(photos, progress.tqdm)

            photos.upload(show, photos, [photos, faces], api_visibility='private', **options)
            example.click(self.show_example, None, faces, api_visibility='private', **options)
            # The API for programs.
            program = gr.Button(visible=False)
            photo = gr.File(visible=False)
            program.click(self.answer, photo, gr.JSON(visible=False), api_name='predict', **options)
        # An open API would bypass the queue.
        return page.queue(api_open=False, max_size=_MAX_QUEUED)

    def serve(self, host: str = '127.0.0.1', port: int = 7860) -> None:
        """Serves the page until the process is interrupted or terminated.

        Raises:
            ConfigError: The address or port cannot be used.
        """
        import gradio as gr
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
                    theme=gr.themes.Base(font=['system-ui', 'sans-serif'], font_mono=['monospace']),
                    head=render_template(_HEAD, dict(megabytes=f'{self.megabytes:g}', photos=_MAX_PHOTOS)),
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
