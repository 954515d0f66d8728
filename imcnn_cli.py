"""The command ``imcnn``, which runs the scripts in ``tools/``, and functions that these scripts share.

torch is only imported after a script has parsed its arguments, so that ``--help`` and usage errors are fast.
"""

import argparse
import ast
import atexit
import difflib
import gc
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple

_FOLDER = Path(__file__).parent
# In a wheel and in a checkout.
_TOOL_FOLDERS = (_FOLDER / 'imcnn_plugin' / '.mim' / 'tools', _FOLDER / 'tools')
# The name of the script in argparse messages; runpy would show its path.
_program = None
_EXAMPLES = (
    'examples:',
    '  imcnn train configs/imcnn_celeba.py --data-root data/celeba',
    '  imcnn infer work_dirs/imcnn_celeba photos --out results',
)
# Help texts that several scripts share.
CONFIG = 'config file, or the name of a config of this package'
DATA_ROOT = 'folder of the dataset'
VARIANT = 'a name for the output, and its config; values after it in the same argument override those of the config'
_CHECKPOINT = 'checkpoint, or the work directory of a run, whose best one is taken'
NAMED_CHECKPOINT = 'NAME=CHECKPOINT'
# Settings for old names of options, which still work but are hidden from the help.
OLD_NAME = dict(default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def main() -> None:
    """Runs ``imcnn COMMAND ...``: the script of that name in ``tools/``, ``tools/data/`` or ``tools/analysis/``."""
    folder = next((folder for folder in _TOOL_FOLDERS if folder.is_dir()), _TOOL_FOLDERS[1])
    scripts = [path for group in ('', 'data', 'analysis') for path in Path(folder, group).glob('*.py')]
    commands = {path.stem.replace('_', '-'): path for path in scripts}
    name = sys.argv[1].replace('_', '-') if len(sys.argv) > 1 else '--help'
    if name not in commands:
        width = max(map(len, commands), default=0)
        lines = [f'  {command:<{width}}  {_summary(script)}' for command, script in sorted(commands.items())]
        text = '\n'.join(['usage: imcnn COMMAND ... (--help after a command explains it)', '', *lines, '', *_EXAMPLES])
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
    """Runs the main function of a script; Ctrl-C, SIGTERM and errors of this package or the system print one line.

    ``main`` is called with the result of ``parse_args``, if given. The exit status is ``error_status`` after an error
    or Ctrl-C, and 143 after SIGTERM; ``interrupted`` is the line printed after either signal.
    """
    sys.argv[0] = _program or sys.argv[0]
    # Python would search all objects of torch for garbage before it exits, for most of a second.
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        # The terminal's encoding may lack characters of a file name or a table.
        stream.reconfigure(errors='backslashreplace')
    before = {}
    try:
        try:
            arguments = [parse_args()] if parse_args else []
            from imcnn_plugin.checkpoints import register_safe_loaders
            from imcnn_plugin.signals import install_handlers, interrupt

            register_safe_loaders()
            # Shell scripts start background jobs with SIGINT ignored.
            before = install_handlers(interrupt, signal.SIGINT, signal.SIGTERM)
            main(*arguments)
        finally:
            # Detect a closed pipe here instead of when Python exits.
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
    """Discards further output, since the reader, such as "head", has closed the pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def describe_results(work_dir: str) -> str:
    """Describes in a few lines the files of a finished run and the next commands."""
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
    return '\n'.join([*lines, 'Next:', f'  {report} {folder}', f'  {infer} {folder} PHOTOS --out results'])


def between(least: float, most: float = 2**31 - 1, kind: type = int) -> Callable[[str], float]:
    """A ``type`` for argparse: an int or float, by ``kind``, in a range."""

    def parse(text: str) -> float:
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f'expected a number from {least} to {most}, found {text}')
        return value

    # argparse shows this name if the text is not a number.
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


def make_parser(description: str, *examples: str) -> argparse.ArgumentParser:
    """The parser of a script; its help ends with the examples, which are given as arguments only."""
    program = _program or f'python {sys.argv[0]}'
    return argparse.ArgumentParser(
        program,
        description=description,
        epilog='\n'.join(['examples:', *(f'  {program} {example}' for example in examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def parse_checkpoint_first(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parses the command line of a script; also accepts the checkpoint as --checkpoint, as in earlier versions."""
    old = argparse.ArgumentParser(parser.prog, usage=parser.format_usage()[7:], add_help=False, allow_abbrev=False)
    old.add_argument('--checkpoint')
    found, others = old.parse_known_args()
    return parser.parse_intermixed_args([found.checkpoint, *others] if found.checkpoint else others)


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Adds the argument for the checkpoint."""
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help=_CHECKPOINT)


def add_named_checkpoints(parser: argparse.ArgumentParser) -> None:
    """Adds the argument for named checkpoints to compare, see :func:`split_named`."""
    parser.add_argument(
        'networks', nargs='+', metavar=NAMED_CHECKPOINT, help=f'a name for the output, and its {_CHECKPOINT}'
    )


def add_data_root(parser: argparse.ArgumentParser) -> None:
    """Adds the option for the dataset's folder."""
    parser.add_argument(
        '--data-root',
        metavar='DIR',
        help=f'{DATA_ROOT}; default its environment variable, such as CELEBA_ROOT, else that of the config',
    )


def add_data_config(parser: argparse.ArgumentParser) -> None:
    """Adds the option for a config whose data is used."""
    parser.add_argument('--config', help="config whose data is used; default the checkpoint's own")


def add_split(parser: argparse.ArgumentParser, default: str) -> None:
    """Adds the option for a split of the dataset."""
    parser.add_argument('--split', default=default, help='split of the dataset; default %(default)s')


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Adds the option for values of the config."""
    from mmengine.config import DictAction

    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override values of the config'
    )


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Adds the option for the number of processes."""
    parser.add_argument(
        '--jobs',
        type=between(1, 1024),
        metavar='N',
        help='number of processes; default one per core, fewer for small inputs',
    )


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Adds the option for the random seed."""
    parser.add_argument(
        '--seed', type=between(0, 2**32 - 1), default=0, metavar='N', help='random seed; default %(default)s'
    )


def add_out(parser: argparse.ArgumentParser, what: str, kind: str = 'file', **settings) -> None:
    """Adds the option for the output of a script.

    Args:
        parser: A parser, or a group of one.
        what: Description of the output.
        kind: 'file', 'figure' or 'folder'.
        settings: Passed to ``add_argument``. Without a default, the option is required unless set otherwise.
    """
    if kind != 'folder':
        settings.setdefault('type', writable_figure if kind == 'figure' else writable)
    if 'default' in settings:
        what += '; default %(default)s'
    else:
        settings.setdefault('required', True)
    place = 'folder' if kind == 'folder' else 'file'
    parser.add_argument('--out', metavar='DIR' if kind == 'folder' else 'FILE', help=f'{place} for {what}', **settings)


def add_runner_arguments(parser: argparse.ArgumentParser, default_work_dir: str) -> None:
    """Adds the options that training and testing share."""
    add_data_root(parser)
    parser.add_argument(
        '--work-dir', metavar='DIR', help=f'folder for logs, checkpoints and tables; default {default_work_dir}'
    )
    parser.add_argument('--amp', action='store_true', help='run in half precision, on a GPU or a CPU')
    add_cfg_options(parser)
    parser.add_argument(
        '--launcher',
        choices=('none', 'pytorch', 'slurm', 'mpi'),
        default='none',
        help='launcher of several processes; default %(default)s',
    )
    # Passed by MIM's launcher, but not needed: the environment has the same value.
    parser.add_argument('--local-rank', '--local_rank', type=int, help=argparse.SUPPRESS)


def add_inferencer_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of :func:`make_inferencer`, and ``--aligned``."""
    parser.add_argument('--aligned', action='store_true', help='the photos are aligned faces, like those of CelebA')
    parser.add_argument('--device', help='device, such as cpu or cuda:1; default a GPU if available')
    parser.add_argument(
        '--precision',
        choices=('fp32', 'bf16'),
        help='precision of convolutions and matrix products; default bf16 on a CPU with AMX, else fp32',
    )
    parser.add_argument('--amp', dest='precision', action='store_const', const='bf16', help='like --precision bf16')
    parser.add_argument(
        '--detector',
        choices=('yunet', 'mtcnn'),
        default='yunet',
        help='face detector; mtcnn is slower; default %(default)s',
    )
    parser.add_argument(
        '--detect-pixels',
        type=between(1),
        metavar='N',
        help='shrink photos to this many pixels in all, in which faces of 20 pixels and more are detected; '
        'default 480000, 307200 for mtcnn',
    )
    parser.add_argument(
        '--min-score',
        type=between(0, 1, float),
        metavar='X',
        help='skip faces with a lower detection score; default 0.9',
    )
    parser.add_argument(
        '--min-face',
        type=between(0, kind=float),
        default=0,
        metavar='N',
        help='skip faces with fewer pixels in height or width; default %(default)s',
    )
    parser.add_argument('--largest-only', action='store_true', help='predict only the largest face of each photo')
    parser.add_argument(
        '--attributes', nargs='+', metavar='NAME', help='report only these, such as Smiling; default all'
    )
    parser.add_argument(
        '--consistent',
        action='store_true',
        help='choose the most probable labels that do not contradict each other, such as two hair colors',
    )


def make_inferencer(args: argparse.Namespace, jobs: int = 1):
    """Creates a :class:`~imcnn_plugin.apis.FaceAttributeInferencer` from :func:`add_inferencer_arguments`."""
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
