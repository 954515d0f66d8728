"""What a user types wrong in each tool ends with one line, before any long work."""

import os
import re
import sys

import pytest
import torch

import imcnn_cli as cli

CONFIG = 'configs/imcnn_demo.py'


@pytest.fixture
def error_of(monkeypatch, capsys):
    """Runs a command that must fail, and returns the line that it ends with."""

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['imcnn', *map(str, arguments)])
        monkeypatch.setattr(cli, '_program', None)
        with pytest.raises(SystemExit) as end:
            cli.main()
        printed = capsys.readouterr().err
        text = end.value.code if isinstance(end.value.code, str) else printed
        assert end.value.code and 'error: ' in text.splitlines()[-1] and 'Traceback' not in printed
        return text.splitlines()[-1]

    return run


# Tools that write one file after their work, which fails with these arguments.
WRITERS = {
    'calibrate': ['no.pth'],
    'export': ['no.pth'],
    'fit-album': ['no.pth'],
    'publish': ['{endless}'],
    'show-predictions': ['no.pth'],
    'feature-maps': ['a=no.pth'],
    'person-predictions': ['a=no.pth'],
    'attribute-correlation': ['no.py'],
    'lambda-curves': ['a=no'],
    'report': ['{trained}', '--data-root', 'no'],
    'check': ['no'],
}


@pytest.mark.parametrize('tool', WRITERS)
def test_an_output_that_cannot_be_written_is_found_before_the_work(error_of, tmp_path, trained, best, tool):
    (tmp_path / 'file').touch()
    content = torch.load(best, weights_only=True)
    next(iter(content['state_dict'].values())).fill_(torch.inf)
    torch.save(content, tmp_path / 'endless.pth')
    suffix = {'publish': '.pth', 'report': '.html', 'calibrate': '.pth'}.get(tool, '.png')
    arguments = [part.format(endless=tmp_path / 'endless.pth', trained=trained) for part in WRITERS[tool]]
    for out in (tmp_path / 'file' / f'x{suffix}', f'/dev/null/x{suffix}', tmp_path / ('x' * 300 + suffix)):
        assert 'cannot be written' in error_of(tool, *arguments, '--out', out)
    assert 'cannot be written' not in error_of(tool, *arguments, '--out', tmp_path / f'x{suffix}')


@pytest.mark.parametrize('option', ['--markdown', '--picture', '--results'])
def test_a_sweep_finds_it_before_the_first_run(error_of, tmp_path, option):
    results = [] if option == '--results' else ['--results', tmp_path / 'a.jsonl']
    line = error_of('sweep', f'a={CONFIG}', '--out', tmp_path / 'out', *results, option, '/dev/null/x.png')
    assert '/dev/null/x.png cannot be written' in line and not (tmp_path / 'out').exists()


def test_a_device_is_not_replaced_by_a_file(error_of, tmp_path, faces):
    os.mkfifo(tmp_path / 'pipe')
    assert 'it exists and is not a file' in error_of('check', faces, '--out', tmp_path / 'pipe')
    assert [path.name for path in tmp_path.iterdir()] == ['pipe'] and not (tmp_path / 'pipe').is_file()


@pytest.mark.parametrize(
    'option, values',
    [
        (['demo', 'x.pth', '--port'], ['-1', '0', '65536', 'x']),
        (['demo', 'x.pth', '--max-mb'], ['0', 'nan', 'inf', '1e400']),
        (['demo', 'x.pth', '--max-megapixels'], ['-1', 'nan']),
        (['demo', 'x.pth', '--detect-pixels'], ['0', '1.5']),
        (['export', 'x.pth', '--out', 'x.onnx', '--images'], ['-1', '0', 'x']),
        (['show-predictions', 'x.pth', '--num'], ['-1', '0', '1e9']),
        (['person-predictions', 'a=x.pth', '--out', 'x.png', '--max-images'], ['-1', '0']),
        (['feature-maps', 'a=x.pth', '--out', 'x.png', '--channels'], ['-1']),
        (['attribute-correlation', CONFIG, '--out', 'x.png', '--seed'], ['-1']),
        (['attribute-correlation', CONFIG, '--out', 'x.png', '--images'], ['1']),
        (['check', 'x', '--jobs'], ['0', '99999999999999999999']),
        (['make-faces', '--out', 'x', '--identities'], ['0', '99999999999999999999']),
        (['make-faces', '--out', 'x', '--label-noise'], ['nan', '-0.1', '1.1']),
        (['make-faces', '--out', 'x', '--jobs'], ['0', '99999999999999999999']),
        (['pack', 'x', '--out', 'y', '--jobs'], ['0', '99999999999999999999']),
        (['pack', 'x', '--out', 'y', '--size'], ['0', '-1']),
        (['test', 'x.pth', '--tolerance'], ['nan', 'inf', '-1']),
        (['sweep', '--results', 'x.jsonl', '--table-only', '--seeds'], ['-1', '4294967296']),
        (['sweep', '--results', 'x.jsonl', '--table-only', '--jobs'], ['0', '-1']),
        (['sweep', '--results', 'x.jsonl', '--table-only', '--lambdas'], ['nan', '-1', 'inf', 'x']),
        (['kill-and-resume', '--kills'], ['-1']),
    ],
    ids=lambda value: f'{value[0]} {value[-1]}' if '--' in value[-1] else '',
)
def test_a_number_out_of_range_is_one_line(error_of, monkeypatch, tmp_path, option, values):
    config = os.path.abspath(CONFIG)
    monkeypatch.chdir(tmp_path)
    for value in values:
        # An option and a negative number are one argument, or argparse takes the number for an option.
        *others, name = [config if part == CONFIG else part for part in option]
        extra = ['--config', config] if name == '--lambdas' else []
        line = error_of(*others, *extra, f'{name}={value}')
        assert f'argument {name}: ' in line or 'lambda' in line


def test_an_empty_name_does_not_restart_a_run(error_of, tmp_path):
    assert '--resume is empty' in error_of('train', CONFIG, '--work-dir', tmp_path / 'work', '--resume', '')


@pytest.mark.parametrize(
    'launcher, variables, message',
    [
        ('slurm', {}, "launcher 'slurm' cannot start .*SLURM_PROCID"),
        ('pytorch', {}, "launcher 'pytorch' cannot start .*RANK expected"),
        ('pytorch', dict(RANK='x'), "launcher 'pytorch' cannot start .*'x'.*: use tools/dist_train.sh"),
        ('mpi', {}, "launcher 'mpi' needs GPUs"),
    ],
)
def test_a_launcher_that_did_not_start_the_process(error_of, monkeypatch, tmp_path, launcher, variables, message):
    if torch.cuda.is_available():
        pytest.skip('on GPUs the processes are started by mmengine')
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT', 'SLURM_PROCID'):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert re.search(message, error_of('train', CONFIG, '--work-dir', tmp_path / 'work', '--launcher', launcher))
