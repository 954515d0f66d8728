"""Helpers that run command lines like a user, in real processes on drawn faces."""

import os
import runpy
import socket
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
TOOLS = sorted((REPOSITORY / 'tools').glob('*.py')) + sorted((REPOSITORY / 'tools').glob('*/*.py'))
CONFIG = 'configs/imcnn_demo.py'
# A tiny network.
TINY = [
    'model.backbone.width=0.0625',
    'model.head.attr_head.in_channels=192',
    'model.head.attr_head.hidden_dims=(8,8)',
    'model.head.id_head.in_channels=192',
    'model.head.id_head.embedding_dims=8',
    'train_dataloader.batch_size=16',
    'val_dataloader.batch_size=4',
    'test_dataloader.batch_size=4',
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'test_dataloader.num_workers=0',
]


def set_num_identities(cfg, name):
    """Replaces num_identities='auto' with the number in the training split of CelebA, or of its subset."""
    head = cfg.model.head.get('id_head') or cfg.model.head
    if head.get('num_identities') == 'auto':
        head.num_identities = 3947 if 'mini' in name else 8192
    return cfg


def free_port():
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return str(listener.getsockname()[1])


def start(*command, cwd=REPOSITORY, **environment):
    """Starts a command on the CPU, with stderr redirected to stdout."""
    if str(command[0]).endswith('.sh'):
        command = ('bash', *command)
        environment['PYTHON'] = sys.executable
    else:
        command = (sys.executable, *command)
    return subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, 'CUDA_VISIBLE_DEVICES': '', 'OMP_NUM_THREADS': '1', 'PORT': free_port(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(*command, ok=True, cwd=REPOSITORY, **environment):
    """Runs a command and returns its output."""
    with start(*command, cwd=cwd, **environment) as process:
        try:
            output, _ = process.communicate(timeout=300)
        finally:
            process.kill()
    assert (process.returncode == 0) == ok, output
    return output


class Parsed(Exception):
    """Raised with its parser when a script has parsed its arguments."""


def parsed_by(script, arguments, monkeypatch):
    """Runs a script until it has parsed its arguments and returns its parser.

    If ``arguments`` is None, stops before parsing.
    """

    def stopping(parse):
        def parse_and_stop(parser, *args, **kwargs):
            if arguments is not None:
                parse(parser, *args, **kwargs)
            raise Parsed(parser)

        return parse_and_stop

    with monkeypatch.context() as patch:
        for method in ('parse_args', 'parse_intermixed_args'):
            patch.setattr(ArgumentParser, method, stopping(getattr(ArgumentParser, method)))
        patch.setattr(sys, 'argv', [str(script), *(arguments or [])])
        patch.chdir(REPOSITORY)
        patch.syspath_prepend(str((REPOSITORY / script).parent))
        with pytest.raises(Parsed) as stopped:
            runpy.run_path(str(script), run_name='__main__')
    return stopped.value.args[0]
