"""The recipes of CONTRIBUTING.md, as a reader follows them: its files are saved, and its commands run."""

import json
import re
import shlex

import pytest
import torch
from commands import REPOSITORY, run

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datasets import read_annotations

PAGE = (REPOSITORY / 'CONTRIBUTING.md').read_text()
RECIPES = PAGE.partition('## Add a component\n')[2]
# The network is smaller than the page's, and no worker is started.
QUICKER = [
    '--cfg-options',
    'model.head.attr_head.hidden_dims=(8,8)',
    'default_hooks.checkpoint.save_optimizer=False',
    *(f'{split}_dataloader.num_workers=0' for split in ('train', 'val', 'test')),
]
# One process for all, as its start takes longer than a recipe. Each path of PYTHONPATH is there for its command alone.
RUN_ALL = """
import json, runpy, sys
for variable, *words in json.loads(sys.argv[1]):
    print(f'# {words[1]}', flush=True)
    before = list(sys.path)
    sys.path[:0] = variable.removeprefix('PYTHONPATH=').split(':')
    sys.argv = words
    runpy.run_path(words[0], run_name='__main__')
    sys.path[:] = before
"""


def commands():
    """Words of each command, beginning with a value of PYTHONPATH."""
    for block in re.findall(r'```bash\n(.*?)```', RECIPES, re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line)
            variable = words.pop(0) if '=' in words[0] else 'PYTHONPATH='
            assert words.pop(0) == 'python'
            yield [variable, *words]


@pytest.fixture(scope='module')
def recipes(faces, tmp_path_factory):
    """The folder of a checkout where everything was done, and what each recipe printed, by the name of its config."""
    folder = tmp_path_factory.mktemp('checkout')
    for name in ('configs', 'tools'):
        (folder / name).symlink_to(REPOSITORY / name)
    for path, code in re.findall(r'```python\n# (\S+)\n(.*?)```', RECIPES, re.DOTALL):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(code)
    draw, *trainings = commands()
    # What the fixture has done.
    assert draw[1:] == shlex.split('tools/data/make_faces.py --out data/few_faces --identities 20 --images 4 --seed 0')
    (folder / 'data').mkdir()
    (folder / 'data' / 'few_faces').symlink_to(faces)
    output = run('-c', RUN_ALL, json.dumps([[*words, *QUICKER] for words in trainings]), cwd=folder)
    return folder, dict(re.findall(r'^# \S+/try_(\w+)\.py\n(.*?)(?=^# |\Z)', output, re.DOTALL | re.MULTILINE))


def read_run(recipes, name):
    """The work directory of a recipe, what was logged first and last, and the report of its test."""
    work_dir = recipes[0] / 'work_dirs' / f'try_{name}'
    [log] = work_dir.glob('*/vis_data/scalars.json')
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    return work_dir, logged, json.loads((work_dir / 'per_attribute.json').read_text())


def test_every_recipe_is_run(recipes):
    assert list(recipes[1]) == ['hook', 'loss', 'groups', 'backbone', 'dataset']
    blocks = re.findall(r'```python\n(.*)\n', RECIPES)
    assert blocks and all(re.fullmatch(r'# my_parts/\w+\.py', line) for line in blocks), 'a block begins with its name'


def test_hook_names_the_worst_attributes(recipes):
    _, logged, _ = read_run(recipes, 'hook')
    accuracies = {name: logged[-1][f'attr/accuracy/{name}'] for name in ATTRIBUTES}
    [line] = re.findall(r'Lowest accuracies: (.*)', recipes[1]['hook'])
    named = dict(part.split() for part in line.split(', '))
    assert len(named) == 3
    assert [float(value) for value in named.values()] == [round(value, 2) for value in sorted(accuracies.values())[:3]]
    assert all(f'{accuracies[name]:.2f}' == value for name, value in named.items())


def test_loss_is_the_hinge_loss(recipes):
    losses = {name: read_run(recipes, name)[1][0]['loss_attr'] for name in ('loss', 'hook')}
    # Of 40 labels with logits near 0: 1 each, and ln 2 with cross-entropy.
    assert losses == {'loss': pytest.approx(40, abs=2), 'hook': pytest.approx(27.7, abs=2)}


def test_groups_are_those_of_the_config(recipes):
    _, _, report = read_run(recipes, 'groups')
    assert list(report['attributes']) == ['Smiling', 'Mouth_Slightly_Open', 'Eyeglasses', 'Male', 'Young']
    assert list(report['groups']) == ['Mouth', 'Eyes', 'Whole']


def test_backbone_is_the_one_that_was_written(recipes):
    work_dir, _, report = read_run(recipes, 'backbone')
    weights = torch.load(work_dir / 'epoch_1.pth', weights_only=True)['state_dict']
    assert weights['backbone.layers.3.0.weight'].shape == (96, 16, 3, 3)
    assert len(report['attributes']) == 40


def test_dataset_reads_what_the_lists_say(recipes, faces):
    _, _, report = read_run(recipes, 'dataset')
    lists = read_annotations(faces)
    test = lists.partition == 2
    assert report['num_images'] == test.sum()
    prevalence = {name: 100 * lists.labels[test, ATTRIBUTES.index(name)].mean() for name in ('Eyeglasses', 'Smiling')}
    assert {name: row['prevalence'] for name, row in report['attributes'].items()} == pytest.approx(prevalence)
