"""Training and testing as a user runs them: real processes on drawn faces."""

import json
import re

import pytest
import torch
from commands import CONFIG, TINY, run

from imcnn_plugin.checkpoints import read_checkpoint

# Two does not divide it.
ODD_TEST_PART = 'test_dataloader.dataset.indices=15'


def report(folder):
    """What an evaluation found, without what it was made with."""
    whole = json.loads((folder / 'per_attribute.json').read_text())
    return {key: value for key, value in whole.items() if key not in ('checksums', 'seed', 'versions', 'config')}


@pytest.fixture(scope='module')
def trained(faces, tmp_path_factory):
    """A work folder after two epochs in bfloat16, and what was printed."""
    folder = tmp_path_factory.mktemp('trained')
    output = run(
        'tools/train.py',
        CONFIG,
        '--work-dir',
        folder,
        '--amp',
        '--cfg-options',
        *TINY,
        ODD_TEST_PART,
        'train_cfg.max_epochs=2',
        CELEBA_ROOT=str(faces),
    )
    return folder, output


def test_training_ends_with_a_table_of_the_test_split(trained):
    folder, output = trained
    result = report(folder)
    assert (result['split'], result['num_images'], len(result['attributes'])) == ('test', 15, 40)
    assert f'15 images of 4 identities; mean accuracy {result["mean_accuracy"]:.2f} %' in output
    assert 'Global batch 16 (1 x 16), 4 steps per epoch, learning rate 0.01' in output
    assert 'it was set for a batch of 64' in output
    assert 'attr/accuracy/' not in output.split('Epoch(test)')[-1]
    first = next(line for line in output.splitlines() if 'loss_attr' in line)
    assert 20 < float(first.split('loss_attr: ')[1].split()[0]) < 40
    assert {path.name for path in folder.glob('*.pth')} >= {'epoch_1.pth', 'epoch_2.pth'}
    [best] = folder.glob('best_*.pth')
    assert (folder / 'best.pth').resolve() == best.resolve()


def test_the_console_is_brief_and_the_log_file_whole(trained):
    folder, output = trained
    lines = output.splitlines()
    first = next(number for number, line in enumerate(lines) if 'Epoch(train)' in line)
    assert first <= 15 and f'Results go to {folder}' in ' '.join(lines[:first])
    # The table of the test split, and no other.
    assert output.count('5_o_Clock_Shadow') == 1
    assert lines[-5:] == [
        f'{folder}/best.pth  the checkpoint that was best on the validation split',
        f'{folder}/per_attribute.csv  accuracy and more for each attribute, also in per_attribute.json',
        'Next:',
        f'  python tools/analysis/report.py {folder}',
        f'  python tools/infer.py {folder} PHOTOS --out results',
    ]
    [log] = folder.glob('*/*.log')
    for text in ('System environment', 'Config:', 'Hooks will be', 'Saving checkpoint', 'Loads checkpoint by'):
        assert text in log.read_text() and text not in output


@pytest.fixture(scope='module')
def only_test_rows(faces, tmp_path_factory):
    """A data folder whose lists name the test split alone."""
    folder = tmp_path_factory.mktemp('rows')
    (folder / 'img_align_celeba').symlink_to(faces / 'img_align_celeba')
    partition = dict(line.split() for line in (faces / 'list_eval_partition.txt').read_text().splitlines())
    for name in ('list_attr_celeba.txt', 'identity_CelebA.txt', 'list_eval_partition.txt'):
        lines = (faces / name).read_text().splitlines()
        kept = [line for line in lines if partition.get(line.split()[0]) == '2']
        head = [str(len(kept)), lines[1]] if name.startswith('list_attr') else []
        (folder / name).write_text('\n'.join(head + kept) + '\n')
    return folder


def test_a_checkpoint_is_tested_without_training_rows_or_identity_count(trained, only_test_rows, tmp_path):
    folder, _ = trained
    beside = ['tools/test.py', CONFIG, folder, '--data-root', only_test_rows]
    command = [*beside, '--work-dir', tmp_path]
    output = run(*command, '--cfg-options', *TINY, ODD_TEST_PART)
    assert report(tmp_path) == report(folder)
    assert 'unexpected key' not in output and 'missing key' not in output
    # The same weights and images, so the same figures; but the lists are shorter than those of the first run.
    expect = ['--expect', folder / 'per_attribute.json', '--tolerance', '0']
    output = run(*command, *expect, '--cfg-options', *TINY, ODD_TEST_PART, ok=False)
    assert output.rstrip().splitlines()[-2:] == [
        f'Results differ from {folder}/per_attribute.json:',
        'the checksum of the annotations is not the expected one: this is other data',
    ]
    before = report(folder)
    run(*beside, '--tta', '--cfg-options', *TINY, ODD_TEST_PART)
    # The run's own results stay.
    assert report(folder) == before and not (tmp_path / 'test').exists()
    assert report(folder / 'test')['num_images'] == 15 and report(folder / 'test')['means'] != before['means']
    # The precision of a GPU can be asked for without one.
    code = (
        "import runpy, sys, torch; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__'); "
        "print(torch.get_autocast_dtype('cuda'))"
    )
    output = run('-c', code, *command, '--amp', '--cfg-options', *TINY, ODD_TEST_PART)
    assert output.splitlines()[-1] == 'torch.bfloat16'
    assert report(tmp_path)['mean_accuracy'] == pytest.approx(report(folder)['mean_accuracy'], abs=2)


def test_two_processes_give_the_accuracies_of_one(trained, faces, tmp_path):
    folder, _ = trained
    [best] = folder.glob('best_*.pth')
    output = run(
        'tools/dist_test.sh',
        CONFIG,
        best,
        '2',
        '--work-dir',
        tmp_path,
        '--cfg-options',
        *TINY,
        ODD_TEST_PART,
        CELEBA_ROOT=str(faces),
    )
    assert 'No GPU found: running 2 CPU processes over gloo.' in output
    two, one = report(tmp_path), report(folder)
    assert two['num_images'] == 15
    for name, values in one['attributes'].items():
        for key in ('accuracy', 'num_labelled', 'prevalence'):
            assert two['attributes'][name][key] == values[key]


def test_resumes_in_bfloat16_and_leaves_the_first_runs_best_checkpoint(trained, faces, only_test_rows, tmp_path):
    folder, _ = trained
    before = sorted(path.name for path in folder.glob('*.pth'))
    # Any score is better than this, so the resumed run finds a new best one.
    checkpoint = torch.load(folder / 'epoch_2.pth', weights_only=True)
    checkpoint['message_hub']['runtime_info']['best_score'] = 0.0
    torch.save(checkpoint, tmp_path / 'start.pth')
    output = run(
        'tools/train.py',
        CONFIG,
        '--work-dir',
        tmp_path / 'second',
        '--amp',
        '--resume',
        tmp_path / 'start.pth',
        '--cfg-options',
        *TINY,
        'train_cfg.max_epochs=3',
        CELEBA_ROOT=str(faces),
    )
    assert 'resumed epoch: 2, iter: 8' in output and 'Epoch(train) [3]' in output
    assert 'belongs to another run and is kept there' in output
    assert sorted(path.name for path in folder.glob('*.pth')) == before
    [best] = (tmp_path / 'second').glob('best_*.pth')
    # The config that a resumed run leaves tests its checkpoints without the training rows, too.
    run(
        'tools/test.py',
        tmp_path / 'second' / 'imcnn_demo.py',
        best,
        '--data-root',
        only_test_rows,
        '--work-dir',
        tmp_path,
    )
    assert report(tmp_path) == report(tmp_path / 'second')


def test_training_on_two_parts_ends_with_the_test_of_a_third(faces, tmp_path):
    """The test split's own count of training identities is another one then."""
    run(
        'tools/train.py',
        CONFIG,
        '--work-dir',
        tmp_path,
        '--data-root',
        faces,
        '--cfg-options',
        *TINY,
        'train_dataloader.dataset.split=trainval',
        'model.head.id_head.num_identities=16',
        'train_cfg.max_epochs=1',
    )
    assert report(tmp_path)['split'] == 'test'


def test_an_unreadable_test_part_is_known_before_training(faces, tmp_path):
    output = run(
        'tools/train.py',
        CONFIG,
        '--work-dir',
        tmp_path,
        '--data-root',
        faces,
        '--cfg-options',
        *TINY,
        f'test_dataloader.dataset.data_root={tmp_path}/nowhere',
        ok=False,
    )
    assert f'{tmp_path}/nowhere/list_attr_celeba.txt: not found' in output and 'Epoch(train)' not in output


def test_wrong_identity_count_is_an_error_that_says_what_to_write(faces, tmp_path):
    wrong = 'model.head.id_head.num_identities=140'
    output = run(
        *('tools/train.py', CONFIG, '--work-dir', tmp_path, '--cfg-options', *TINY, wrong),
        ok=False,
        CELEBA_ROOT=str(faces),
    )
    assert (
        'model.head.id_head.num_identities is 140, but the training set has 14 identities: pass --cfg-options '
        "model.head.id_head.num_identities=14, or 'auto'"
    ) in output
    assert 'Epoch(train)' not in output


def test_attr_net_trains_where_no_identity_count_is_given(faces, tmp_path):
    output = run(
        'tools/train.py',
        'configs/attr_net_celeba_mini.py',
        '--work-dir',
        tmp_path,
        '--data-root',
        faces,
        '--auto-scale-lr',
        '--no-validate',
        '--cfg-options',
        *[option for option in TINY if 'id_head' not in option],
        'train_cfg.max_epochs=1',
    )
    assert 'loss_id' not in output and 'learning rate 0.0025.' in output
    assert 'Epoch(val)' not in output and not (tmp_path / 'per_attribute.json').exists()
    # The checkpoint says on what it can be calibrated and tested.
    cfg = read_checkpoint(tmp_path / 'epoch_1.pth').cfg
    assert cfg.val_dataloader.dataset.split == 'val' and cfg.test_evaluator.type == 'PerAttributeAccuracy'


def test_data_root_of_cfg_options_reaches_the_data_loaders(tmp_path):
    output = run(
        'tools/test.py',
        CONFIG,
        'none.pth',
        '--work-dir',
        tmp_path / 'out',
        '--cfg-options',
        f'data_root={tmp_path}/nowhere',
        ok=False,
    )
    assert f'{tmp_path}/nowhere/list_attr_celeba.txt: not found' in output


def test_show_predictions_draws_a_picture(trained, faces, tmp_path):
    folder, _ = trained
    [best] = folder.glob('best_*.pth')
    # The config that training leaves in its work directory is complete.
    run(
        'tools/analysis/show_predictions.py',
        folder / 'imcnn_demo.py',
        best,
        '--data-root',
        faces,
        '--num',
        '3',
        '--out',
        tmp_path / 'faces.png',
    )
    assert (tmp_path / 'faces.png').stat().st_size > 10000


def test_second_stage_of_mcnn_aux_needs_the_first(faces, tmp_path):
    tiny = [option for option in TINY if 'head' not in option and 'width' not in option]
    tiny += [
        'model.backbone.width=0.02',
        'model.head.attr_head.in_channels=36',
        'model.head.attr_head.hidden_dims=(8,)',
    ]
    common = ['--data-root', faces, '--cfg-options', *tiny, 'train_cfg.max_epochs=1']
    run('tools/train.py', 'configs/mcnn_celeba_mini.py', '--work-dir', tmp_path / 'first', *common)
    first = torch.load(tmp_path / 'first' / 'epoch_1.pth', weights_only=True)['state_dict']
    run('tools/train.py', 'configs/mcnn_aux_celeba_mini.py', '--work-dir', tmp_path / 'second', '--resume', *common,
        f'load_from={tmp_path}/first/epoch_1.pth')  # fmt: skip
    # With nothing to resume, it still starts from the first stage.
    second = torch.load(tmp_path / 'second' / 'epoch_1.pth', weights_only=True)['state_dict']
    aux = second.pop('head.attr_head.aux.weight')
    torch.testing.assert_close(second, first, rtol=0, atol=0)
    assert not torch.equal(aux, torch.eye(40))


def test_id_net_from_training_to_table(faces, tmp_path):
    tiny = ['model.backbone.width=0.0625', 'model.head.in_channels=192', 'model.head.embedding_dims=8',
            'train_dataloader.num_workers=0',
            'train_dataloader.batch_size=16']  # fmt: skip
    common = ['--work-dir', tmp_path, '--data-root', faces]
    output = run('tools/train.py', 'configs/id_net_celeba_mini.py', *common, '--cfg-options', *tiny,
                 'train_cfg.max_epochs=1', 'test_dataloader.num_workers=0')  # fmt: skip
    assert 'loss_attr' not in output and 'loss_id' in output
    trained = report(tmp_path)
    assert (trained['split'], trained['num_images'], trained['num_identities']) == ('test', 16, 4)
    depths = set(re.findall(r' (\w+)[,\n]', output[output.index('Layers: ') :].split('\n')[0] + '\n'))
    assert depths <= {'conv_3x3', 'conv_1x1', 'fc1', 'fc2'} and len(depths) > 1
    tested = tmp_path / 'tested'
    run('tools/test.py', tmp_path / 'id_net_celeba_mini.py', tmp_path / 'epoch_1.pth', '--work-dir', tested,
        '--expect', tmp_path / 'per_attribute.json', '--tolerance', '0')  # fmt: skip


@pytest.mark.parametrize(
    'name, about',
    [
        ('paper', dict(protocol='paper', split='test', num_identities=6)),
        ('kfold', dict(protocol='kfold', split='test', fold=3, num_identities=4)),
    ],
)
def test_other_protocols_train_and_test(faces, tmp_path, name, about):
    """On 20 identities; the fold comes from the environment."""
    options = [*TINY, 'train_cfg.max_epochs=1']
    if name == 'paper':
        options += [f'{part}_dataloader.dataset.num_train_identities=14' for part in ('train', 'val', 'test')]
    run('tools/train.py', f'configs/imcnn_celeba_mini_{name}.py', '--work-dir', tmp_path, '--data-root', faces,
        '--cfg-options', *options, FOLD='3')  # fmt: skip
    assert report(tmp_path).items() >= about.items()


def test_kaggles_celeba_trains_attributes_and_says_what_identities_need(kaggle, tmp_path):
    options = ['--work-dir', tmp_path, '--cfg-options', *TINY, 'train_cfg.max_epochs=1']
    without = [option for option in options if 'id_head' not in str(option)]
    output = run('tools/train.py', CONFIG, *without, 'model.head.id_head=None', CELEBA_ROOT=str(kaggle))
    assert f'{kaggle}: no identity_CelebA.txt, so all identities are unknown.' in output
    result = report(tmp_path)
    assert (result['num_images'], result['num_identities'], len(result['attributes'])) == (16, 0, 40)
    output = run('tools/train.py', CONFIG, *options, CELEBA_ROOT=str(kaggle), ok=False)
    assert 'the training set has no identities (those of CelebA are in identity_CelebA.txt)' in output.splitlines()[-1]
