"""The command ``imcnn``, which runs the scripts in ``tools/``, and what these scripts share.

Nothing here imports torch before a script has parsed its arguments: ``--help`` and typing errors take no seconds.
"""

import argparse
import ast
import difflib
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple

_FOLDER = Path(__file__).parent
# In a wheel, and in a checkout.
_TOOL_FOLDERS = (_FOLDER / 'imcnn_plugin' / '.mim' / 'tools', _FOLDER / 'tools')
# What argparse calls the script that the command runs; runpy would show its path.
_program = None


def main() -> None:
    """Runs ``imcnn COMMAND ...``: the script of that name in ``tools/``, ``tools/data/`` or ``tools/analysis/``."""
    folder = next((folder for folder in _TOOL_FOLDERS if folder.is_dir()), _TOOL_FOLDERS[1])
    scripts = [path for group in ('', 'data', 'analysis') for path in Path(folder, group).glob('*.py')]
    commands = {path.stem.replace('_', '-'): path for path in scripts}
    name = sys.argv[1].replace('_', '-') if len(sys.argv) > 1 else '--help'
    if name not in commands:
        width = max(map(len, commands), default=0)
        lines = [f'  {command:<{width}}  {_summary(script)}' for command, script in sorted(commands.items())]
        text = '\n'.join(['usage: imcnn COMMAND ... (--help after a command explains it)', '', *lines])
        if name in ('-h', '--help'):
            try:
                print(text, flush=True)
            except BrokenPipeError:
                _discard_output()
            return
        near = difflib.get_close_matches(name, commands, 1)
        sys.exit(f"{text}\n\nerror: there is no command '{sys.argv[1]}'" + (f": try '{near[0]}'" if near else ''))
    del sys.argv[1]
    global _program
    _program = f'imcnn {name}'
    runpy.run_path(str(commands[name]), run_name='__main__')


def _summary(script: Path) -> str:
    """The first line of a script's docstring."""
    return ast.get_docstring(ast.parse(script.read_text(encoding='utf-8'))).split('\n')[0]


def run_tool(
    main: Callable[..., None],
    parse_args: Optional[Callable[[], argparse.Namespace]] = None,
    error_status: int = 1,
    interrupted: str = 'stopped',
) -> None:
    """Runs the main function of a script; an error of this package or of the system, Ctrl-C or SIGTERM is one line.

    ``main`` gets what ``parse_args`` returns, if there is one. The exit status is ``error_status`` after an error, but
    143 after SIGTERM; ``interrupted`` is the line after both signals.
    """
    sys.argv[0] = _program or sys.argv[0]
    for stream in (sys.stdout, sys.stderr):
        # A terminal may lack characters of a file name or a table.
        stream.reconfigure(errors='backslashreplace')
    before = {}
    try:
        try:
            arguments = [parse_args()] if parse_args else []
            from imcnn_plugin.checkpoints import register_safe_loaders
            from imcnn_plugin.signals import install_handlers, interrupt

            register_safe_loaders()
            # A shell starts what runs in the background of a script with SIGINT ignored.
            before = install_handlers(interrupt, signal.SIGINT, signal.SIGTERM)
            main(*arguments)
        finally:
            # A reader that has gone is found here, and not when Python ends.
            sys.stdout.flush()
        return
    except KeyboardInterrupt as error:
        message = f'\n{interrupted}'
        if signal.SIGTERM in error.args:
            error_status = 128 + signal.SIGTERM
    except BrokenPipeError:
        _discard_output()
        return
    except Exception as error:
        from imcnn_plugin.errors import IMCNNError, describe_os_error

        if not isinstance(error, (IMCNNError, OSError)):
            raise
        message = f'error: {error if isinstance(error, IMCNNError) else describe_os_error(error)}'
    finally:
        if before:
            from imcnn_plugin.signals import restore_handlers

            restore_handlers(before)
    if error_status == 1:
        sys.exit(message)
    print(message, file=sys.stderr)
    sys.exit(error_status)


def _discard_output() -> None:
    """Whoever reads the output has seen enough, as "head" does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def describe_results(work_dir: str) -> str:
    """What a finished run has left, and what can be done with it, in a few lines."""
    from imcnn_plugin.checkpoints import BEST

    folder = Path(work_dir)
    files = {
        BEST: 'the checkpoint that was best on the validation split',
        'per_attribute.csv': 'accuracy and more for each attribute, also in per_attribute.json',
    }
    lines = [f'{folder / name}  {text}' for name, text in files.items() if (folder / name).is_file()]
    report, infer = (
        ('imcnn report', 'imcnn infer')
        if _program
        else (
            'python tools/analysis/report.py',
            'python tools/infer.py',
        )
    )
    return '\n'.join(
        [*lines, 'Next:', f'  {report} {folder}', f'  {infer} PHOTOS --checkpoint {folder} --out results']
    )


def between(least: float, most: float = 2**31 - 1, kind: type = int) -> Callable[[str], float]:
    """A ``type`` for argparse: a number of a kind, int or float, in a range."""

    def parse(text: str) -> float:
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f'expected a number from {least} to {most}, found {text}')
        return value

    # argparse names the type if the text is no number.
    parse.__name__ = kind.__name__
    return parse


def writable(text: str) -> str:
    """A ``type`` for argparse: a file that can be written, see :func:`imcnn_plugin.files.writable`."""
    from imcnn_plugin.files import writable

    return writable(text)


def writable_figure(text: str) -> str:
    """A ``type`` for argparse: a figure, see :func:`imcnn_plugin.visualization.writable_figure`."""
    from imcnn_plugin.visualization import writable_figure

    return writable_figure(text)


def split_named(arguments: Sequence[str], form: str) -> List[Tuple[str, str]]:
    """Splits arguments such as ``NAME=CHECKPOINT`` at the first '='; ``form`` is that pattern, for the message.

    Raises:
        ConfigError: An argument has another form.
    """
    from imcnn_plugin.errors import ConfigError

    pairs = [argument.partition('=')[::2] for argument in arguments]
    for argument, pair in zip(arguments, pairs):
        if not all(pair):
            raise ConfigError(f"expected {form}, found '{argument}'")
    return pairs


def add_runner_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that training and testing share."""
    from mmengine.config import DictAction

    parser.add_argument('--data-root', help="folder of the dataset, instead of the config's")
    parser.add_argument('--work-dir', help='where logs, checkpoints and tables go; default work_dirs/<config>')
    parser.add_argument('--amp', action='store_true', help='run in half precision, on a GPU or a CPU')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override values of the config'
    )
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm', 'mpi'), default='none')
    # MIM's launcher passes it; the environment says the same.
    parser.add_argument('--local-rank', '--local_rank', type=int, help=argparse.SUPPRESS)


def add_inferencer_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of :func:`make_inferencer`, and ``--aligned``."""
    parser.add_argument('--checkpoint', required=True, help='training checkpoint, or a published one')
    parser.add_argument('--aligned', action='store_true', help='the photos are aligned faces, like those of CelebA')
    parser.add_argument('--device', help='such as cpu or cuda:1; default a GPU if available')
    parser.add_argument(
        '--precision',
        choices=('fp32', 'bf16'),
        help='of convolutions and matrix products; default bf16 on a CPU that is fast in it (AMX), else fp32',
    )
    parser.add_argument('--amp', dest='precision', action='store_const', const='bf16', help='like --precision bf16')
    parser.add_argument(
        '--detector',
        choices=('yunet', 'mtcnn'),
        default='yunet',
        help='of faces (default %(default)s); mtcnn is slower',
    )
    parser.add_argument(
        '--detect-pixels',
        type=between(1),
        help='photos are shrunk to this many pixels for the detection of faces of 20 pixels and more (default '
        '480000, 307200 for mtcnn)',
    )
    parser.add_argument(
        '--min-score', type=between(0, 1, float), help='leave out faces of a lower score of the detector (default 0.9)'
    )
    parser.add_argument(
        '--min-face', type=between(0, kind=float), default=0, help='leave out faces of fewer pixels in height or width'
    )
    parser.add_argument('--largest-only', action='store_true', help='only the largest face of each photo')
    parser.add_argument(
        '--attributes', nargs='+', metavar='NAME', help='report only these, such as Smiling; default all'
    )
    parser.add_argument(
        '--consistent', action='store_true', help='no labels that contradict each other, such as two hair colors'
    )


def make_inferencer(args: argparse.Namespace, jobs: int = 1):
    """The :class:`~imcnn_plugin.apis.FaceAttributeInferencer` of :func:`add_inferencer_arguments`."""
    from imcnn_plugin.apis import FaceAttributeInferencer

    return FaceAttributeInferencer(
        args.checkpoint,
        args.device,
        args.precision,
        args.detect_pixels,
        args.consistent,
        args.detector,
        args.min_score,
        args.min_face,
        args.largest_only,
        args.attributes,
        jobs,
    )
