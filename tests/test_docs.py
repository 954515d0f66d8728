"""Every command of README and docs: its script and configs are there, and it takes its arguments.

What runs within a test elsewhere in this suite is only parsed here.
"""

import json
import re
import shlex
from pathlib import Path

import pytest
from benchlib.variant_cost import cost_table
from commands import REPOSITORY, TOOLS, parsed_by

from imcnn_plugin.evaluation import verification_table
from imcnn_plugin.experiments import SweepTable, group_rows, read_rows
from imcnn_plugin.paper import FORMATS, compare, read_measured_results, read_published
from imcnn_plugin.tables import markdown_lines

PAGES = sorted(
    [
        REPOSITORY / 'README.md',
        REPOSITORY / 'CONTRIBUTING.md',
        *REPOSITORY.glob('docs/*.md'),
        *REPOSITORY.glob('projects/*/*.md'),
    ]
)
# What a page may start that is not this repository's.
OTHERS = set('cd docker export find git grep mim npm pip pre-commit pytest python3 ruff source uv'.split())


def commands(page):
    """Each command of the page's shell blocks as a list of words, without the variables before it."""
    for block in re.findall(r'```(?:bash|sh|shell)\n(.*?)```', page.read_text(), re.DOTALL):
        for line in block.replace('\\\n', ' ').splitlines():
            for command in re.split(r' && | \| ', re.sub(r'^\w+=\$\(.*\)\S*|(^|\s)#.*', '', line)):
                # A checkout elsewhere, or the files that an installation has.
                words = shlex.split(re.sub(r'/path/to/imcnn_plugin/|\$MIM/', '', command))
                while words and re.fullmatch(r'\w+=.*', words[0], re.DOTALL):
                    words.pop(0)
                if words:
                    yield words


ALL = [(page.name, words) for page in PAGES for words in commands(page)]


def name(case):
    return f'{case[0]}: {" ".join(case[1])[:60]}'


def test_commands_are_found():
    assert len(ALL) > 60 and {page for page, _ in ALL} >= {'README.md', 'configs.md', 'performance.md'}


@pytest.mark.parametrize('case', ALL, ids=name)
def test_command_can_be_given(case, monkeypatch):
    give(case[1], monkeypatch)


def give(words, monkeypatch):
    """Lets the script of a command take its arguments."""
    program, *arguments = words
    if program in OTHERS:
        return
    if program == 'imcnn':
        program, arguments = 'python', ['-m', 'imcnn_plugin', *arguments]
    assert program in ('python', 'bash') and arguments, f'what is {program}?'
    script, *arguments = arguments
    if arguments and arguments[0] == 'imcnn_plugin':
        [path] = REPOSITORY.glob(f'tools/**/{arguments[1].replace("-", "_")}.py')
        script = str(path.relative_to(REPOSITORY))
        arguments = arguments[2:]
    if script in ('-c', '-m'):
        return
    if (REPOSITORY / 'docs' / 'examples' / script).is_file():
        script = f'docs/examples/{script}'
    assert (REPOSITORY / script).is_file(), f'there is no {script}'
    for config in {Path(word) for argument in arguments for word in re.findall(r'[\w/]*configs/\w+\.py', argument)}:
        assert (REPOSITORY / config).is_file(), f'there is no {config}'
    if program == 'bash':
        launched = {'dist_train.sh': 'train.py', 'slurm_train.sh': 'train.py', 'dist_test.sh': 'test.py'}
        if Path(script).name not in launched:
            return
        # The launcher's own arguments: the number of processes, or partition and job.
        if 'slurm' in script:
            arguments = arguments[2:]
        else:
            [number] = [i for i, argument in enumerate(arguments[:3]) if argument.isdigit()]
            arguments.pop(number)
        script = f'tools/{launched[Path(script).name]}'
    parsed_by(script, arguments, monkeypatch)


@pytest.mark.parametrize('tool', TOOLS, ids=lambda tool: tool.stem)
def test_help_ends_with_two_examples_that_can_be_given(tool, monkeypatch):
    script = str(tool.relative_to(REPOSITORY))
    text = parsed_by(script, None, monkeypatch).format_help()
    _, marker, examples = text.partition('\nexamples:\n')
    assert marker and examples.startswith(f'  python {script}')
    first, second = (shlex.split(line) for line in examples.splitlines())
    assert first != second
    for words in (first, second):
        give(words, monkeypatch)


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r'\]\(([^)#]+)[^)]*\)', page.read_text()):
        if not target.startswith(('http://', 'https://', 'mailto:')):
            assert (page.parent / target).exists(), target


# Files of rows, and folders of such files.
ROWS = [path for path in (REPOSITORY / 'docs' / 'results').iterdir() if path.is_dir() or path.suffix == '.jsonl']


@pytest.mark.parametrize('rows', sorted(ROWS), ids=lambda path: path.stem)
def test_tables_of_results_are_those_of_their_rows(rows):
    table = SweepTable(group_rows(read_rows(rows))).markdown()
    assert rows.with_suffix('.md').read_text() == table, 'make it again with tools/sweep.py --table-only --markdown'


def test_table_of_the_paper_is_that_of_its_rows():
    results = read_measured_results([str(REPOSITORY / 'docs' / 'results' / 'paper_table.json')])
    made = FORMATS['markdown'](compare(read_published(), results))
    text, _, table = (REPOSITORY / 'docs' / 'paper_table.md').read_text().partition(' from here on. -->\n\n')
    assert table == made, 'make it again with tools/analysis/compare_to_paper.py, see the page'
    # What the training split's majority classes score is in no table.
    assert {figure for figure in re.findall(r'\b\d\d\.\d\d\b', text) if figure not in table} <= {'80.50'}


def test_cost_of_the_results_page_is_that_of_its_file():
    page = (REPOSITORY / 'docs' / 'results.md').read_text()
    rows = json.loads((REPOSITORY / 'docs' / 'results' / 'cost.json').read_text())['variants']
    assert '\n'.join(markdown_lines(cost_table(rows))) in page


@pytest.mark.parametrize(
    'path', (REPOSITORY / 'docs' / 'results').glob('verification_*.json'), ids=lambda path: path.stem
)
def test_verification_of_the_figures_page_is_that_of_its_files(path):
    found = json.loads(path.read_text())
    page = (REPOSITORY / 'docs' / 'figures.md').read_text()
    assert '\n'.join(markdown_lines(verification_table(found['results']))) in page
    assert f'{found["pairs"]:,} ' in page and {len(row['accuracy']) for row in found['results']} == {10}


def test_figures_of_the_results_page_are_those_of_its_tables():
    folder = REPOSITORY / 'docs'
    tables = ' '.join(path.read_text() for path in (folder / 'results').glob('*.md'))
    page = (folder / 'results.md').read_text()
    # Test-time augmentation and trials of recipes have no rows.
    others = ' '.join(path.read_text() for path in (folder / 'results').glob('*_recipes.json'))
    tables += ' '.join(f'{float(figure):.2f}' for figure in re.findall(r'\d\d\.\d+', others))
    # Accuracies, and differences with their intervals. The majority classes score 80.50 %, and on LFWA's halves 72.20
    # and 70.85 %; the paper's figures on LFWA average 87.85.
    figures = re.findall(r'[+-]\d\.\d\d \(.*?\)|\b\d\d\.\d\d\b', page)
    assert len(figures) > 60
    assert {figure for figure in figures if figure not in tables} == {'80.50', '72.20', '70.85', '87.85'}
