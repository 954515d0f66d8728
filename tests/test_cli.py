import os
import re
import runpy
import signal
import subprocess
import sys
from argparse import SUPPRESS
from collections import defaultdict

import pytest
from commands import REPOSITORY, TOOLS, parsed_by

import imcnn_cli as cli
from imcnn_plugin.errors import ConfigError, DataError
from imcnn_plugin.evaluation import CRITERIA
from imcnn_plugin.paper import DATASETS, FORMATS


def imcnn(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['imcnn', *arguments])
    monkeypatch.setattr(cli, '_program', None)
    cli.main()


def test_lists_every_script_with_what_it_does(monkeypatch, capsys):
    imcnn(monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('usage: imcnn COMMAND')
    assert lines[-3] == 'examples:' and all(line.startswith('  imcnn ') for line in lines[-2:])
    listed = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines[2:-4]}
    scripts = [path for folder in ('', 'data', 'analysis') for path in (REPOSITORY / 'tools' / folder).glob('*.py')]
    assert sorted(listed) == sorted(path.stem.replace('_', '-') for path in scripts)
    assert {'train', 'test', 'infer', 'export', 'publish', 'calibrate', 'report', 'check', 'pack'} <= set(listed)
    # One sentence each, on one line.
    assert [name for name, summary in listed.items() if not summary.rstrip().endswith('.')] == []


@pytest.mark.parametrize('name', ['kill_and_resume', 'kill-and-resume'])
def test_runs_a_script_under_its_own_name(monkeypatch, capsys, name):
    with pytest.raises(SystemExit) as end:
        imcnn(monkeypatch, name, '--help')
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith('usage: imcnn kill-and-resume ')


def test_an_unknown_command_is_one_line_below_the_list(monkeypatch):
    with pytest.raises(SystemExit, match="(?s)^usage: .*\n\nerror: there is no command 'trian': try 'train'$"):
        imcnn(monkeypatch, 'trian')


def test_runs_as_a_module(tmp_path):
    process = subprocess.run(
        [sys.executable, '-W', 'ignore', '-m', 'imcnn_plugin', 'check', str(tmp_path / 'no')],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    assert process.returncode and process.stderr.startswith('error: ') and process.stderr.count('\n') == 1


@pytest.mark.parametrize('error', [ConfigError('a key'), DataError('a file')])
def test_an_error_of_this_package_is_one_line(error):
    def tool():
        raise error

    with pytest.raises(SystemExit, match=f'^error: {error}$'):
        cli.run_tool(tool)


def test_status_and_words_are_the_tool_s(capsys):
    def tool():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as end:
        cli.run_tool(tool, error_status=2, interrupted='stopped; nothing is lost')
    assert end.value.code == 2 and capsys.readouterr().err == '\nstopped; nothing is lost\n'


@pytest.mark.parametrize('number, status', [(signal.SIGINT, 1), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_tool_in_order_also_in_the_background_of_a_script(number, status, tmp_path):
    script = tmp_path / 'tool.py'
    script.write_text(f"""
import os, time
from imcnn_cli import run_tool
from imcnn_plugin.files import replacing

def main():
    with replacing({str(tmp_path / 'out')!r}) as temporary:
        temporary.write_text('half')
        os.kill(os.getpid(), {number})
        time.sleep(60)

run_tool(main, interrupted='stopped: nothing was written')
""")
    # Without job control a shell starts it with SIGINT ignored.
    command = f"'{sys.executable}' '{script}' & wait $!"
    process = subprocess.run(['bash', '-c', command], capture_output=True, text=True, cwd=REPOSITORY)
    assert process.returncode == status and process.stderr.endswith('\nstopped: nothing was written\n')
    assert [*tmp_path.iterdir()] == [script]


def test_a_fault_of_our_own_keeps_its_traceback():
    def tool():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cli.run_tool(tool)


def test_a_reader_that_has_seen_enough_is_no_error():
    process = subprocess.run(
        f"'{sys.executable}' -W ignore -m imcnn_plugin compare-to-paper | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    assert process.stderr == ''


@pytest.mark.parametrize(
    'error, line',
    [
        (PermissionError(13, 'Permission denied', 'a.txt'), 'a.txt cannot be used (Permission denied)'),
        (OSError('two\nlines'), 'two lines'),
        (ConnectionResetError(), 'ConnectionResetError'),
    ],
)
def test_an_error_of_the_system_is_one_line(error, line):
    def tool():
        raise error

    with pytest.raises(SystemExit) as end:
        cli.run_tool(tool)
    assert end.value.code == f'error: {line}'


@pytest.mark.parametrize('arguments', [[], ['compare-to-paper'], ['train', '--help']])
def test_output_that_nobody_reads_is_no_error(arguments):
    command = [sys.executable, '-W', 'ignore', '-m', 'imcnn_plugin', *arguments]
    read, write = os.pipe()
    os.close(read)
    try:
        process = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
    finally:
        os.close(write)
    assert (process.returncode, process.stderr) == (0, '')


def test_a_terminal_without_the_characters_of_a_name(tmp_path):
    # A name that is not UTF-8 has no characters in any terminal.
    for name, encoding in (('é.csv', 'ascii'), (os.fsdecode(b'\xff.csv'), 'utf-8')):
        process = subprocess.run(
            [sys.executable, '-W', 'ignore', '-m', 'imcnn_plugin', 'compare-to-paper', '--out', str(tmp_path / name)],
            capture_output=True,
            cwd=REPOSITORY,
            env={**os.environ, 'PYTHONIOENCODING': encoding},
        )
        assert process.returncode == 0 and process.stdout.startswith(b'written to '), process.stderr


SCRIPTS = [path for folder in ('', 'data', 'analysis') for path in (REPOSITORY / 'tools' / folder).glob('*.py')]


@pytest.mark.parametrize(
    'script', [path for path in SCRIPTS if path.stem != 'kill_and_resume'], ids=lambda path: path.stem
)
def test_help_imports_neither_torch_nor_the_package(script):
    code = f"""
import runpy, sys
sys.argv = [{str(script)!r}, '--help']
try:
    runpy.run_path(sys.argv[0], run_name='__main__')
except SystemExit as end:
    assert not end.code
assert not {{'torch', 'imcnn_plugin'}} & {{*sys.modules}}, 'help takes seconds'
"""
    process = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=REPOSITORY)
    assert process.returncode == 0 and process.stdout.startswith('usage: '), process.stderr
    for line in process.stdout.splitlines():
        assert len(line) < 200


def test_choices_are_those_of_the_package():
    for script, option, names in (
        ('calibrate', '--criterion', CRITERIA),
        ('analysis/compare_to_paper', '--set', DATASETS),
        ('analysis/compare_to_paper', '--format', FORMATS),
    ):
        text = (REPOSITORY / 'tools' / f'{script}.py').read_text()
        [found] = re.findall(rf"'{option}',\s+choices=\((.*?)\)", text)
        assert re.findall(r"'(\w+)'", found) == [*names]


# Options that say what they are about, such as --images, and of which each tool says what it does with that.
OF_EACH_TOOL = set(
    '--amp --baseline --batch-size --config --data-root --detector --identities --images --jobs --out --photos --size '
    '--work-dir DATA_ROOT NAME=WORK_DIR'.split()
)


def shown_options(monkeypatch):
    """The name, tool and argparse's action of each option that a help shows."""
    for tool in TOOLS:
        for action in parsed_by(tool.relative_to(REPOSITORY), None, monkeypatch)._actions:
            if action.help != SUPPRESS:
                for name in action.option_strings or [action.metavar]:
                    yield name, tool.stem, action


def test_options_of_one_name_are_alike_in_all_tools(monkeypatch):
    found = defaultdict(lambda: defaultdict(set))
    for name, tool, action in shown_options(monkeypatch):
        assert action.help, (tool, name)
        # Defaults may differ, and several configs be meant instead of one.
        about = re.sub('(; )?default .*', '', action.help).replace('all configs', 'the config')
        found[name][about, str(action.metavar)].add(tool)
    assert {name: [*kinds.values()] for name, kinds in found.items() if len(kinds) > 1}.keys() == OF_EACH_TOOL
    for (text, metavar), tools in found['--out'].items():
        assert re.match({'FILE': 'file for ', 'DIR': 'folder for '}[metavar], text), tools
    assert all(text.startswith('number of ') and metavar == 'N' for text, metavar in found['--jobs'])
    [(text, _)] = found['CHECKPOINT']
    assert text == 'checkpoint, or the work directory of a run, whose best one is taken'
    # A report is of a run, and may be of another checkpoint than its best.
    assert set.union(*found['--checkpoint'].values()) == {'report'}


def test_defaults_are_told_in_one_way(monkeypatch):
    for name, tool, action in shown_options(monkeypatch):
        assert not re.search(r'(?<!%)\(default|default:|by default', action.help), (tool, name)
        if action.default not in (None, False, SUPPRESS) and action.default != []:
            assert re.search(r'(^|; )default \S', action.help), (tool, name)


@pytest.mark.parametrize(
    'tool, old, new',
    [
        ('infer', 'a.jpg --checkpoint x.pth b.jpg --out out', 'x.pth a.jpg b.jpg --out out'),
        ('infer', '--checkpoint=x.pth --input list.txt --out out', 'x.pth --input list.txt --out out'),
        ('demo', '--device cpu --checkpoint x.pth', 'x.pth --device cpu'),
        ('benchmark/photo_speed', '--checkpoint x.pth --jobs 2', 'x.pth --jobs 2'),
        ('benchmark/data_speed', '--workers 3', '--jobs 3'),
        ('data/check', 'data --workers 3', 'data --jobs 3'),
    ],
)
def test_old_names_work(monkeypatch, tmp_path, tool, old, new):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'list.txt').write_text('c.jpg\n')
    path = REPOSITORY / 'tools' / f'{tool}.py'
    monkeypatch.syspath_prepend(str(path.parent))
    parse_args = runpy.run_path(str(path))['parse_args']
    found = []
    for arguments in (old, new):
        monkeypatch.setattr(sys, 'argv', [str(path), *arguments.split()])
        found.append(vars(parse_args()))
    assert found[0] == found[1]


def test_a_missing_checkpoint_is_named(monkeypatch, capsys):
    for arguments, line in (
        (['--out', 'out'], 'the following arguments are required: CHECKPOINT'),
        (['x.pth', '--out', 'out'], 'no photos'),
        (['a.jpg', '--checkpoint'], 'argument --checkpoint: expected one argument'),
    ):
        with pytest.raises(SystemExit):
            imcnn(monkeypatch, 'infer', *arguments)
        printed = capsys.readouterr().err
        assert printed.startswith('usage: imcnn infer [-h]') and printed.splitlines()[-1].startswith(
            'imcnn infer: error: ' + line
        )
