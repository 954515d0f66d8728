import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from commands import REPOSITORY


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_that_is_running(tmp_path, number):
    """With stand-ins for the environment, and for Python, which takes a step."""
    (tmp_path / 'tools').mkdir()
    shutil.copy(REPOSITORY / 'tools' / 'quickstart.sh', tmp_path / 'tools')
    (tmp_path / 'tools' / 'venv.sh').write_text('cd "$(dirname "${BASH_SOURCE[0]}")/.." && PATH=$PWD:$PATH\n')
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\necho $$ > starting && mv starting step\nexec sleep 1000\n')
    python.chmod(0o755)
    with subprocess.Popen(['bash', tmp_path / 'tools' / 'quickstart.sh']) as process:
        while not (tmp_path / 'step').exists():
            assert process.poll() is None
            time.sleep(0.01)
        step = Path('/proc', (tmp_path / 'step').read_text().strip())
        assert step.exists()
        process.send_signal(number)
        assert process.wait() == 128 + number
    assert not step.exists()


def test_packages_of_the_tests_are_installed_once_for_each_list_of_them(tmp_path):
    """With the same stand-ins; Python notes what it was asked for."""
    (tmp_path / 'tools').mkdir()
    (tmp_path / '.venv').mkdir()
    shutil.copy(REPOSITORY / 'tools' / 'run_tests.sh', tmp_path / 'tools')
    (tmp_path / 'tools' / 'venv.sh').write_text(
        'cd "$(dirname "${BASH_SOURCE[0]}")/.." && venv=.venv && PATH=$PWD:$PATH\n'
    )
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\necho "$2" >> asked\n')
    python.chmod(0o755)
    for packages in ('pytest==1', 'pytest==1', 'pytest==2'):
        (tmp_path / 'requirements-dev.txt').write_text(packages)
        subprocess.run(['bash', tmp_path / 'tools' / 'run_tests.sh'], check=True)
    assert (tmp_path / 'asked').read_text().split() == ['pip', 'pytest', 'pytest', 'pip', 'pytest']
