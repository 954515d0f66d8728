"""The web page of ``tools/demo.py``, made with gradio: a photo goes in, its faces and their attributes come out."""

import os
import re
import signal
import tempfile
from pathlib import Path
from typing import Optional, Tuple

import numpy as np
from markupsafe import Markup
from PIL import Image

from ..apis.inferencer import FaceAttributeInferencer
from ..apis.photos import read_photo
from ..errors import ConfigError, DataError
from .face_cards import render, render_faces, render_message

# So many photos wait at most, each for less than the age at which uploads are deleted.
QUEUED = 500
# Seconds between two looks for old uploads, and their age then.
CLEANING = (60, 1800)


class WebPage:
    """What the page does with a photo, and how it is served.

    Args:
        inferencer: Finds the faces and predicts.
        title: Of the model, such as the name of its file.
        megabytes: The largest file that is taken, in millions of bytes.
        megapixels: The most pixels that are decoded, in millions.
        aligned: Each photo is an aligned face; none is looked for.

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
        head = inferencer.config.model.head
        self.groups = (head.get('attr_head') or head).groups
        # What is missing is missed now, and the first photo takes no longer than others.
        inferencer(np.zeros((218, 178, 3), np.uint8), aligned=aligned)

    def predict(self, path: str, crops: bool = False) -> Tuple[np.ndarray, dict]:
        """Pixels and result of a file.

        Raises:
            DataError: It cannot be read or has too many pixels. It is named without its folder on the server.
        """
        name = Path(path).name
        if (pixels := count_pixels(path) / 1e6) > self.megapixels:
            raise DataError(
                f'{name} has {pixels:.6g} megapixels, more than the {self.megapixels:g} that are taken: shrink it'
            )
        try:
            image = read_photo(path)
        except DataError as error:
            raise DataError(str(error).replace(path, name)) from None
        [result] = self.inferencer(image, aligned=self.aligned, return_crops=crops)
        return image, result

    def show(self, photo: dict) -> Tuple[None, str]:
        """For the page: an empty field, for the next photo, and HTML."""
        name = Path(photo['path']).name
        try:
            image, result = self.predict(photo['path'], crops=True)
        except DataError as error:
            return None, render_message(f'{error}.')
        if not result['faces']:
            return None, render_message(f'No face was found in {name}.')
        return None, render_faces(name, image, result['faces'], self.groups)

    def answer(self, photo: Optional[dict]) -> dict:
        """For programs: the faces of a photo and, where there are none, the reason."""
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
        """The page, a ``gradio.Blocks``."""
        import gradio as gr

        # The detector serves one at a time. What gradio would make of an upload, beyond its path, leaves empty files.
        options = dict(preprocess=False, concurrency_id='model', concurrency_limit=1)
        kind = 'aligned face' if self.aligned else 'photo'
        intro = Markup(
            '<h1>Face attributes</h1><p>{}. One {} at a time: JPEG, PNG, WebP and others, up to {:g} MB and {:g} '
            'megapixels. Labels are guesses about looks, for research: decide nothing about a person by them. Photos '
            'are deleted within the hour.</p>'
        ).format(self.title, kind, self.megabytes, self.megapixels)
        with gr.Blocks(title='Face attributes', analytics_enabled=False, delete_cache=CLEANING) as page:
            gr.HTML(intro, elem_id='intro')
            photo = gr.File(label=kind.capitalize(), height=140, elem_id='photo')
            gr.HTML('<p class="message" role="alert"></p>', elem_id='refused')
            faces = gr.HTML(elem_id='faces', apply_default_css=False)
            photo.upload(self.show, photo, [photo, faces], api_visibility='private', **options)
            program = gr.Button(visible=False)
            program.click(self.answer, photo, gr.JSON(visible=False), api_name='predict', **options)
        # An open API would go round the queue.
        return page.queue(api_open=False, max_size=QUEUED)

    def serve(self, host: str = '127.0.0.1', port: int = 7860) -> None:
        """Serves the page until the process is interrupted or terminated.

        Raises:
            ConfigError: Nothing can listen there.
        """
        import safehttpx

        signal.signal(signal.SIGTERM, signal.default_int_handler)
        # gradio fetches what clients name from the web, and hands it on: not here.
        safehttpx.async_validate_url = refuse_address
        with tempfile.TemporaryDirectory(prefix='face_attributes_') as folder:
            # Other pages of this machine would share the default folder. A proxy must not be asked for this page.
            os.environ.update(GRADIO_TEMP_DIR=folder, GRADIO_ANALYTICS_ENABLED='False', NO_PROXY='*', no_proxy='*')
            page = self.build()
            try:
                page.launch(
                    server_name=host,
                    server_port=port,
                    max_file_size=round(self.megabytes * 1e6),
                    theme=plain_theme(),
                    head=render('web_page_head.html', megabytes=f'{self.megabytes:g}'),
                    footer_links=[],
                    run_history=False,
                    enable_monitoring=False,
                    share=False,
                    ssr_mode=False,
                    mcp_server=False,
                    quiet=True,
                    prevent_thread_lock=True,
                    # Of each visitor gradio would keep what was last shown, the photo with it.
                    state_session_capacity=1,
                )
            except OSError as error:
                raise ConfigError(f'{host} has no free port {port}: choose others with --host and --port') from error
            print(f'{page.local_url} (Ctrl-C ends it)', flush=True)
            page.block_thread()


def plain_theme():
    """A ``gradio.themes.Base``: dark text on white, whatever the browser prefers, in fonts that it has."""
    import gradio as gr

    theme = gr.themes.Base(font=['system-ui', 'sans-serif'], font_mono=['monospace'])
    for name in [name for name in vars(theme) if name.endswith('_dark')]:
        setattr(theme, name, getattr(theme, name.removesuffix('_dark')))
    return theme


def count_pixels(path: str) -> int:
    """Of a picture, before it is decoded; 0 for a file that is none."""
    try:
        with Image.open(path) as image:
            return image.width * image.height
    except Image.DecompressionBombError as error:
        # From 179 million on, Pillow says how many only here.
        return int(re.search(r'\d+', str(error))[0])
    except Exception:
        # Each of Pillow's readers has its own exceptions; read_photo says what is wrong.
        return 0


async def refuse_address(host: str) -> str:
    raise ValueError(f'{host}: nothing is fetched from the web, send the file itself')
