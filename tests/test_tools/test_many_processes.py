"""The launchers: several processes on one machine, on several, under Slurm, and when one of them is gone."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import torch
from commands import CONFIG, REPOSITORY, TINY, free_port, run, start

# A gradient that overflows in the second process alone, in the last of four steps of an epoch.
POISON = """
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS

@HOOKS.register_module()
class Poison(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 3 and get_rank() == 1:
            bias = runner.model.module.head.attr_head.banks[0].fc.bias
            bias.register_hook(lambda gradient: gradient * float('inf'))
"""


# Asks the second process alone to stop, before the fifth step or in the validation after the eighth.
STOP_ONE = """
import os
import signal
import socket

from mmengine.dist import get_rank
from mmengine.hooks import Hook


class StopOne(Hook):
    def __init__(self, validation):
        self.validation = validation

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if not self.validation and runner.iter == 4:
            self.stop()

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.validation and runner.iter == 8:
            self.stop()

    def stop(self):
        if get_rank() == 1:
            os.kill(os.getpid(), signal.SIGTERM)
"""


def train(faces, work_dir, processes, *options, resume=(), config=CONFIG, **environment):
    """Starts training on 14 identities of 4 images, 4 steps per epoch in 2 processes.

    Each process sums the gradients of three steps, of which an epoch is no multiple.
    """
    return start(
        'tools/dist_train.sh',
        config,
        processes,
        '--work-dir',
        work_dir,
        '--data-root',
        faces,
        *resume,
        '--cfg-options',
        *TINY,
        'train_dataloader.batch_size=7',
        'optim_wrapper.accumulative_counts=3',
        *options,
        **environment,
    )


def weights(work_dir, name='epoch_8.pth'):
    return torch.load(work_dir / name, weights_only=True)['state_dict']


def processes_of(work_dir):
    """Numbers and environments of the processes of a run."""
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            words = (folder / 'cmdline').read_bytes().split(b'\0')
            variables = (folder / 'environ').read_bytes().split(b'\0')
        except OSError:
            continue
        if str(work_dir).encode() in words:
            yield int(folder.name), variables


def worker(work_dir, rank):
    """The number of the process of this rank."""
    return next(number for number, variables in processes_of(work_dir) if f'RANK={rank}'.encode() in variables)


def wait_until_gone(work_dir):
    deadline = time.monotonic() + 60
    while left := [number for number, _ in processes_of(work_dir)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def wait_for(path, process):
    deadline = time.monotonic() + 120
    while not path.is_file():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.02)


@pytest.fixture(scope='module')
def two_dir(faces, tmp_path_factory):
    """The work directory of 8 epochs in two processes of one machine."""
    folder = tmp_path_factory.mktemp('two')
    process = train(faces, folder, '2', 'train_cfg.max_epochs=8')
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return folder


@pytest.fixture(scope='module')
def two(two_dir):
    """The weights in it."""
    return weights(two_dir)


def test_two_machines_train_as_one(two, faces, tmp_path):
    """Two launchers over loopback, with one process each."""
    port = free_port()
    processes = [
        train(faces, tmp_path, '1', 'train_cfg.max_epochs=8', NNODES='2', NODE_RANK=str(rank), PORT=port)
        for rank in range(2)
    ]
    for process in processes:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    for name, value in weights(tmp_path).items():
        assert torch.equal(value, two[name]), name


def test_a_machine_without_the_checkpoint_or_with_other_data_is_named(two_dir, faces, tmp_path):
    shutil.copytree(two_dir, tmp_path / '0')
    port = free_port()
    processes = [
        train(
            faces,
            tmp_path / str(rank),
            '1',
            'train_cfg.max_epochs=9',
            f'train_dataloader.dataset.indices={56 - rank}',
            resume=['--resume'],
            NNODES='2',
            NODE_RANK=str(rank),
            PORT=port,
        )
        for rank in range(2)
    ]
    output = ''.join(process.communicate(timeout=300)[0] for process in processes)
    assert all(process.returncode for process in processes)
    found = 'epoch 0, not 8; iteration 0, not 32; training images 55, not 56; other weights: '
    assert f'process 1 starts with {found}' in output
    assert not (tmp_path / '0' / 'epoch_9.pth').exists()


def test_processes_start_anew_after_one_is_killed(two, faces, tmp_path):
    process = train(faces, tmp_path, '2', 'train_cfg.max_epochs=8', resume=['--resume'], MAX_RESTARTS='1')
    wait_for(tmp_path / 'epoch_2.pth', process)
    os.kill(worker(tmp_path, 1), signal.SIGKILL)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert 'resumed epoch' in output
    for name, value in weights(tmp_path).items():
        assert torch.equal(value, two[name]), name


def test_a_launcher_that_is_asked_to_stop_lets_its_processes_save(faces, tmp_path):
    """torchrun signals all processes of each rank's group, workers of the data loader included."""
    process = train(faces, tmp_path, '2', 'train_cfg.max_epochs=800', 'train_dataloader.num_workers=2')
    wait_for(tmp_path / 'epoch_2.pth', process)
    process.terminate()
    output, _ = process.communicate(timeout=300)
    assert process.returncode and 'interrupted.pth; --resume continues from there' in output, output
    assert 'exited unexpectedly' not in output, output
    assert (tmp_path / 'interrupted.pth').is_file() and (tmp_path / 'last_checkpoint').is_file()
    wait_until_gone(tmp_path)


@pytest.mark.parametrize('validation', [False, True])
def test_processes_of_which_one_was_asked_to_stop_end_as_if_it_had_not(two, faces, tmp_path, validation):
    """Gradients and, on CPUs, running statistics differ between processes within an epoch."""
    (tmp_path / 'stop_one.py').write_text(STOP_ONE)
    # Of seven images, one process has a batch more than the other.
    options = ['train_cfg.max_epochs=8', 'val_dataloader.batch_size=1', 'val_dataloader.dataset.indices=7']
    output, _ = train(
        faces,
        tmp_path,
        '2',
        *options,
        'default_hooks.stop_one.type=stop_one.StopOne',
        f'default_hooks.stop_one.validation={validation}',
        PYTHONPATH=os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')]),
    ).communicate(timeout=300)
    assert f'SIGTERM at iteration {8 if validation else 5}: saved' in output, output
    stopped = torch.load(tmp_path / 'interrupted.pth', weights_only=True)
    assert stopped['process_state']['gradients'] and bool(stopped['process_state']['buffers']) != validation
    assert stopped['message_hub']['runtime_info']['last_validated_epoch'] == 1
    process = train(faces, tmp_path, '2', *options, resume=['--resume'])
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0 and 'gradient of some iterations is lost' not in output, output
    for name, value in weights(tmp_path).items():
        assert torch.equal(value, two[name]), name


def test_an_overflow_in_one_process_stops_all_before_a_checkpoint(faces, tmp_path):
    (tmp_path / 'poison.py').write_text(POISON)
    config = tmp_path / 'poisoned.py'
    config.write_text(
        f"_base_ = '{REPOSITORY / CONFIG}'\n"
        "custom_imports = dict(imports=['imcnn_plugin', 'poison'])\n"
        "custom_hooks = [dict(type='Poison')]\n"
    )
    paths = f'{tmp_path}:{os.environ.get("PYTHONPATH", "")}'
    options = ['train_cfg.max_epochs=2', 'optim_wrapper.accumulative_counts=2']
    process = train(faces, tmp_path / 'out', '2', *options, config=config, PYTHONPATH=paths)
    output, _ = process.communicate(timeout=300)
    assert process.returncode != 0
    assert 'the gradient is inf at iteration 4, epoch 1, of the images of one of the processes' in output
    assert not [*tmp_path.glob('out/*.pth')]


def test_a_process_that_hangs_ends_the_job(faces, tmp_path):
    process = train(faces, tmp_path, '2', 'train_cfg.max_epochs=800', 'env_cfg.dist_cfg.timeout=5')
    wait_for(tmp_path / 'epoch_1.pth', process)
    os.kill(worker(tmp_path, 1), signal.SIGSTOP)
    output, _ = process.communicate(timeout=300)
    assert process.returncode != 0 and 'Timed out' in output


def test_two_processes_train_and_resume(faces, tmp_path):
    command = [
        'tools/dist_train.sh',
        CONFIG,
        '2',
        '--work-dir',
        tmp_path,
        '--data-root',
        faces,
        '--cfg-options',
        *TINY,
        'train_dataloader.batch_size=8',
        'auto_scale_lr.base_batch_size=16',
    ]
    output = run(*command, 'train_cfg.max_epochs=1')
    assert 'Global batch 16 (2 x 8), 4 steps per epoch, learning rate 0.01.' in output
    output = run(*command[:7], '--resume', *command[7:], 'train_cfg.max_epochs=2')
    assert 'resumed epoch: 1, iter: 4' in output
    assert (tmp_path / 'epoch_2.pth').is_file()
    assert json.loads((tmp_path / 'per_attribute.json').read_text())['split'] == 'test'


def test_launcher_explains_itself():
    assert 'Usage: dist_train.sh CONFIG GPUS' in run('tools/dist_train.sh', CONFIG, ok=False)
    assert 'Usage: dist_test.sh CONFIG CHECKPOINT GPUS' in run('tools/dist_test.sh', CONFIG, 'a.pth', ok=False)
    wrong = run('tools/dist_train.sh', CONFIG, '--work-dir', 'x', ok=False)
    assert "The number of GPUs was expected, found '--work-dir'." in wrong
    assert 'Usage: slurm_train.sh PARTITION JOB_NAME CONFIG' in run('tools/slurm_train.sh', 'gpu', ok=False)


def test_launcher_says_when_there_are_fewer_gpus_than_asked(tmp_path):
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\necho 3\n')
    python.chmod(0o755)
    process = subprocess.run(
        ['bash', 'tools/dist_train.sh', CONFIG, '8'],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHON': str(python)},
    )
    assert process.returncode == 1
    assert '8 GPUs were asked for, but this machine has 3' in process.stderr


def test_slurm_launcher_starts_the_processes(faces, tmp_path):
    """With a stand-in for srun that starts the command once a task, as srun would."""
    srun = tmp_path / 'srun'
    srun.write_text("""#!/usr/bin/env bash
while [[ "$1" == --* ]]; do
    case "$1" in --ntasks) tasks=$2; shift 2;; *=*) shift;; *) shift 2;; esac
done
for ((i = 0; i < tasks; i++)); do
    SLURM_PROCID=$i SLURM_NTASKS=$tasks SLURM_LOCALID=$i "$@" &
    pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || exit 1; done
""")
    srun.chmod(0o755)
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text('#!/bin/sh\n[ "$1 $2 $3" = "show hostnames node[1-2]" ] && echo 127.0.0.1 && echo other\n')
    scontrol.chmod(0o755)
    run(
        'tools/slurm_train.sh',
        'cpu',
        'faces',
        CONFIG,
        '--work-dir',
        tmp_path / 'out',
        '--data-root',
        faces,
        '--cfg-options',
        *TINY,
        'train_cfg.max_epochs=1',
        GPUS='2',
        SLURM_JOB_NODELIST='node[1-2]',
        PATH=f'{tmp_path}:{os.environ["PATH"]}',
    )
    assert json.loads((tmp_path / 'out' / 'per_attribute.json').read_text())['num_images'] == 16


@pytest.mark.parametrize('port', ['taken', 'x', '70000'])
def test_a_port_that_cannot_be_used_is_one_line(port):
    with socket.create_server(('', 0)) as listener:
        port = str(listener.getsockname()[1]) if port == 'taken' else port
        output = run('tools/dist_train.sh', CONFIG, '1', ok=False, PORT=port)
    assert output.endswith(
        f'Port {port} is in use or cannot be used: set PORT to a free one, the same on all machines.\n'
    )
    assert 'Traceback' not in output
