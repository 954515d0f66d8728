import math
import traceback
from pathlib import Path

import pytest
import torch
from commands import free_port
from mmpretrain.engine.hooks import EMAHook
from mmpretrain.registry import DATASETS, MODELS
from torch.utils.data import DataLoader, Dataset

from imcnn_plugin.apis import predict_split
from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.engine import FiniteLossHook, build_runner, load_config, train_and_test
from imcnn_plugin.engine import config as engine_config
from imcnn_plugin.engine.config import _drop_repeated_hooks
from imcnn_plugin.errors import ConfigError, DataError, translate_errors
from imcnn_plugin.evaluation import AttributeReport

CONFIG = Path(__file__).parents[2] / 'configs' / 'imcnn_demo.py'


@pytest.mark.parametrize(
    'text, message',
    [
        (None, 'FileNotFoundError'),
        ('model = dict(', 'SyntaxError'),
        ('model = no_such_name', 'NameError'),
        ("_base_ = './no_such_file.py'", 'no_such_file.py'),
        ('model = 5', 'model is 5, expected a dict'),
        ("model = dict(type='A')\ntrain_dataloader = [1]", r'train_dataloader is \[1\], expected a dict'),
        (
            "model = dict(type='A')\nval_dataloader = dict(batch_size=1)",
            r'val_dataloader\.dataset is None, expected a dict',
        ),
    ],
)
def test_a_config_that_is_none_is_named(tmp_path, text, message):
    path = tmp_path / 'mine.py'
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        load_config(path)
    assert str(path) in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize(
    'key, value, message',
    [
        (
            'train_dataloader.batch_size',
            'many',
            'train_dataloader.batch_size is .many., but .* has 32 there: give a n',
        ),
        ('model.head.loss.id_weight', [1], r'id_weight is \[1\], but .* has 1.0 there: give a number'),
        ('custom_hooks.99.type', 'A', r"custom_hooks.99.type='A' cannot be set in .*imcnn_demo.py"),
        ('model.type.name', 'A', r"model.type.name='A' cannot be set in .*imcnn_demo.py"),
        ('model.head', 3, 'imcnn_demo.py: model.head is 3, expected a dict'),
        ('default_hooks', 3, 'imcnn_demo.py: default_hooks is 3, expected a dict'),
        ('custom_hooks', ["dict(type='EMAHook')"], r'custom_hooks is \[.*\], expected a list of dicts'),
    ],
)
def test_an_option_that_cannot_be_set_is_named(key, value, message):
    with pytest.raises(ConfigError, match=message) as error:
        load_config(CONFIG, cfg_options={key: value})
    assert '\n' not in str(error.value)


def test_a_config_without_a_model_is_named(tmp_path):
    path = tmp_path / 'base.py'
    path.write_text('train_cfg = dict()')
    with pytest.raises(ConfigError, match='base.py has no model'):
        build_runner(load_config(path))


def test_options_are_set():
    cfg = load_config(
        CONFIG, cfg_options={'model.head.loss.id_weight': 0, 'default_hooks.logger.type': 'A', 'data_root': 5}
    )
    assert cfg.model.head.loss.id_weight == 0 and cfg.default_hooks.logger.type == 'A'
    assert cfg.train_dataloader.dataset.data_root == '5'


def small(faces, work_dir, best, **head):
    """The config of the checkpoint ``best``, with its file to be loaded."""
    cfg = load_config(CONFIG, data_root=str(faces), work_dir=str(work_dir))
    cfg.model.backbone.width = 1 / 16
    cfg.model.head.attr_head.update(dict(in_channels=192, hidden_dims=(16, 16)), **head)
    cfg.model.head.id_head = None
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.load_from = str(best)
    return cfg


@pytest.mark.parametrize('resume, name', [(False, 'best_'), (True, 'epoch_')])
def test_a_work_directory_stands_for_its_checkpoint(faces, best, trained, tmp_path, resume, name):
    cfg = load_config(best, data_root=str(faces), work_dir=str(tmp_path / 'run'))
    cfg.load_from, cfg.resume = str(trained), resume
    build_runner(cfg)
    assert Path(cfg.load_from).parent == trained and Path(cfg.load_from).name.startswith(name)
    cfg.load_from = str(tmp_path)
    with pytest.raises(DataError, match='has no checkpoint: name one, or the work directory of a run'):
        build_runner(cfg)


def test_weights_of_another_model_are_not_tested(faces, best, tmp_path):
    build_runner(small(faces, tmp_path, best), strict=True).test()
    for head in (dict(hidden_dims=(16, 8)), dict(hidden_dims=(16,))):
        with pytest.raises(DataError, match='its weights are not those of the model in the config') as error:
            build_runner(small(faces, tmp_path, best, **head), strict=True).test()
        assert str(best) in str(error.value) and '\n' not in str(error.value)


def resume_changed(faces, trained, tmp_path, change):
    content = torch.load(trained / 'epoch_1.pth', weights_only=True)
    change(content)
    torch.save(content, tmp_path / 'changed.pth')
    cfg = small(faces, tmp_path, tmp_path / 'changed.pth')
    cfg.resume = True
    build_runner(cfg, strict=True).train()


@pytest.mark.parametrize(
    'kept, missing',
    [
        (['state_dict'], 'no epoch and no iter and no optimizer and no message_hub'),
        # What tools/publish.py keeps.
        (['state_dict', 'meta'], 'no optimizer and no message_hub'),
        (['state_dict', 'meta', 'message_hub'], 'no optimizer'),
    ],
)
def test_a_file_of_weights_alone_is_not_resumed(faces, trained, tmp_path, kept, missing):
    def change(content):
        for key in content.keys() - set(kept):
            del content[key]

    message = f'changed.pth has {missing}, so it cannot be resumed: give it as load_from$'
    with pytest.raises(DataError, match=message):
        resume_changed(faces, trained, tmp_path, change)

    def change_model(content):
        change(content)
        content['state_dict'].popitem()

    # Also if its weights do not fit: a published file has no identity branch.
    with pytest.raises(DataError, match=message):
        resume_changed(faces, trained, tmp_path, change_model)


@pytest.mark.parametrize('key', ['optimizer', 'message_hub'])
def test_a_checkpoint_of_another_training_is_not_resumed(faces, trained, tmp_path, key):
    with pytest.raises(DataError, match='changed.pth cannot be resumed with this config .*: resume it with its own'):
        resume_changed(faces, trained, tmp_path, lambda content: content.update({key: dict(other=1)}))


def test_a_part_that_cannot_be_built_is_named(faces, best, tmp_path):
    cfg = small(faces, tmp_path, best, no_such_option=1)
    with pytest.raises(ConfigError, match=r"imcnn_demo\.py: a component .* built \(TypeError: .* 'no_such_option'"):
        build_runner(cfg)


class Failing(Dataset):
    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise self.error


@pytest.mark.parametrize('workers', [0, 1])
@pytest.mark.parametrize('error', [DataError('a.jpg: it is empty'), FileNotFoundError('a.jpg: it is empty')])
def test_an_error_in_a_worker_is_one_line(workers, error):
    with pytest.raises(DataError) as found:
        with translate_errors():
            list(DataLoader(Failing(error), num_workers=workers))
    assert str(found.value) in ('a.jpg: it is empty', 'FileNotFoundError: a.jpg: it is empty')
    # Otherwise workers are left to the garbage collector, which takes seconds for each.
    for kept in filter(None, (found.value, found.value.__cause__)):
        traceback.clear_frames(kept.__traceback__)


def test_other_errors_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        with translate_errors():
            list(DataLoader(Failing(ZeroDivisionError())))


@pytest.mark.parametrize('name', ['imcnn_demo.py', str(CONFIG)])
def test_a_config_is_found_by_its_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config(name).model == load_config(CONFIG).model


def test_a_checkpoint_is_a_config(best, faces, tmp_path, monkeypatch):
    monkeypatch.setenv('CELEBA_ROOT', str(tmp_path))
    cfg = load_config(best)
    assert cfg.model.backbone.width == 1 / 16 and cfg.test_dataloader.dataset.data_root == str(tmp_path)
    # Not the folder of its training, but the name of its config.
    assert cfg.filename == 'imcnn_demo.py' and cfg.work_dir == 'work_dirs/imcnn_demo'
    assert not cfg.get('resume') and not cfg.get('load_from')
    assert load_config(best, data_root='elsewhere').val_dataloader.dataset.data_root == 'elsewhere'


LABELS = """
_base_ = {base!r}
model = dict(head=dict(attr_head=dict(
    classes=['Smiling', 'Male', 'Young'],
    groups=[dict(name='face', labels=['Smiling'], slice=3), dict(name='person', labels=['Male', 'Young'], slice=4)],
    loss=dict(type='AsymmetricLoss'),
)))
"""


def test_own_labels_groups_and_loss_are_said_once(tmp_path, faces):
    """Three values in the head: the dataset reads these labels, and the table has these groups."""
    path = tmp_path / 'mine.py'
    path.write_text(LABELS.format(base=str(CONFIG)))
    cfg = small_training(path, faces, tmp_path / 'work')
    train_and_test(build_runner(cfg))
    report = AttributeReport.load(tmp_path / 'work' / 'per_attribute.json')
    assert list(report.attributes) == ['Smiling', 'Male', 'Young'] and set(report.groups) == {'face', 'person'}
    # What a config says of a dataset or a metric itself stays.
    path.write_text(
        path.read_text() + "test_evaluator = dict(groups=[])\ntest_dataloader = dict(dataset=dict(classes=['Male']))"
    )
    cfg = load_config(path)
    assert cfg.test_evaluator.groups == [] and cfg.test_dataloader.dataset.classes == ['Male']


def test_a_file_of_labels_may_have_other_columns_beside_celebas(tmp_path, faces):
    columns = ['image', 'age', *ATTRIBUTES]
    names = sorted(path.name for path in (faces / 'img_align_celeba').iterdir())
    (tmp_path / 'labels.csv').write_text('\n'.join(','.join(row) for row in [columns, [names[0], '34', *'1' * 40]]))
    dataset = dict(_delete_=True, type='AttributeCSV', ann_file=str(tmp_path / 'labels.csv'), pipeline=[])
    dataset |= dict(data_root=str(faces), data_prefix='img_align_celeba')
    cfg = load_config(CONFIG, cfg_options={'train_dataloader.dataset': dataset})
    assert DATASETS.build(cfg.train_dataloader.dataset).metainfo['classes'] == ATTRIBUTES
    # CelebA's own need no names.
    assert 'classes' not in cfg.val_dataloader.dataset


def small_training(path, faces, work_dir):
    """A config for one epoch of a tiny network."""
    cfg = load_config(path, data_root=str(faces), work_dir=str(work_dir))
    cfg.model.backbone.width = 1 / 16
    cfg.model.head.attr_head.update(in_channels=192, hidden_dims=(8, 8))
    cfg.model.head.id_head.update(in_channels=192, embedding_dims=8)
    cfg.train_cfg.max_epochs = 1
    for name in ('train', 'val', 'test'):
        cfg[f'{name}_dataloader'].update(batch_size=16, num_workers=0, persistent_workers=False)
    return cfg


def test_the_number_of_identities_is_that_of_the_training_set(tmp_path, faces):
    cfg = small_training(CONFIG, faces, tmp_path)
    assert cfg.model.head.id_head.num_identities == 'auto'
    runner = build_runner(cfg)
    # So that the checkpoint's config has it as well.
    assert runner.cfg.model.head.id_head.num_identities == runner.model.head.id_head.num_identities == 14
    cfg = small_training(CONFIG, faces, tmp_path)
    cfg.train_dataloader.dataset.update(protocol='paper', num_train_identities=10)
    assert build_runner(cfg).model.head.id_head.num_identities == 10
    cfg = small_training(CONFIG, faces, tmp_path)
    part = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', dataset=part, times=2)
    assert build_runner(cfg).model.head.id_head.num_identities == 14
    cfg = small_training(CONFIG, faces, tmp_path)
    cfg.train_dataloader = None
    with pytest.raises(ConfigError, match="num_identities='auto' needs a train_dataloader"):
        build_runner(cfg)
    with pytest.raises(ConfigError, match="'auto' is resolved by tools/train.py"):
        MODELS.build(dict(type='IdentityHead', num_identities='auto', in_channels=8))


def test_a_hook_of_ones_own_keeps_all_others(tmp_path, faces):
    default = {type(hook) for hook in build_runner(small_training(CONFIG, faces, tmp_path)).hooks}
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = {str(CONFIG)!r}\ncustom_hooks = [dict(type='EMAHook')]")
    hooks = [type(hook) for hook in build_runner(small_training(path, faces, tmp_path / 'work')).hooks]
    assert set(hooks) == default | {EMAHook} and len(hooks) == len(set(hooks))
    safety = 'StepSeedHook InterruptHook DataModelCheckHook FiniteLossHook BadImageHook AttributeReportHook'.split()
    assert {*safety, 'SyncAllBuffersHook'} <= {hook.__name__ for hook in hooks}
    # Configs for older versions list ours beside theirs, under their old names.
    path.write_text(path.read_text().replace('[', "[dict(type='StepSeedHook'), dict(type='FitCheckHook'), "))
    again = [type(hook) for hook in build_runner(small_training(path, faces, tmp_path / 'work')).hooks]
    assert sorted(map(str, again)) == sorted(map(str, hooks))
    # One of ours can be switched off.
    cfg = small_training(CONFIG, faces, tmp_path)
    cfg.default_hooks.finite_loss = None
    assert default - {type(hook) for hook in build_runner(cfg).hooks} == {FiniteLossHook}


def test_hooks_may_be_classes_or_objects(tmp_path, faces):
    cfg = small_training(CONFIG, faces, tmp_path)
    cfg.default_hooks.finite_loss.type = FiniteLossHook
    own = FiniteLossHook()
    cfg.custom_hooks = [dict(type=FiniteLossHook), EMAHook(), own]
    _drop_repeated_hooks(cfg)
    assert [type(hook) for hook in cfg.custom_hooks] == [EMAHook] and cfg.default_hooks.finite_loss is own


def test_each_fold_has_a_work_directory(monkeypatch, tmp_path):
    config = CONFIG.with_name('imcnn_celeba_mini_kfold.py')
    monkeypatch.setenv('FOLD', '3')
    assert load_config(config).work_dir == 'work_dirs/imcnn_celeba_mini_kfold/fold3'
    said = []
    monkeypatch.setattr(engine_config, 'print_log', lambda message, *args: said.append(message))
    options = {'train_dataloader.dataset.fold': 1}
    assert load_config(config, cfg_options=options).work_dir == 'work_dirs/imcnn_celeba_mini_kfold/fold1'
    assert said == [f'FOLD=3 has no effect: {config} has fold 1.']
    assert load_config(config, work_dir=str(tmp_path)).work_dir == str(tmp_path) and len(said) == 1
    assert load_config(CONFIG).work_dir == 'work_dirs/imcnn_demo'


def test_options_of_a_hook_that_is_listed_twice_are_kept(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = {str(CONFIG)!r}\ncustom_hooks = [dict(type='ModelSpeedHook', channels_last=True)]")
    cfg = load_config(path)
    assert cfg.custom_hooks == [] and cfg.default_hooks.speed == dict(type='ModelSpeedHook', channels_last=True)


@pytest.mark.parametrize(
    'options, expected',
    [
        ({}, (False, False)),
        (dict(find_unused_parameters=True), (True, False)),
        (dict(model_wrapper_cfg=dict(find_unused_parameters=True, broadcast_buffers=True)), (True, True)),
    ],
)
def test_processes_on_cpus_take_the_settings_of_their_wrapper(tmp_path, faces, monkeypatch, options, expected):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    names = dict(RANK='0', WORLD_SIZE='1', LOCAL_RANK='0', MASTER_ADDR='127.0.0.1', MASTER_PORT=free_port())
    # mmengine would set these for good.
    names.update(MKL_NUM_THREADS='1', OMP_NUM_THREADS='1')
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    cfg = small_training(CONFIG, faces, tmp_path)
    cfg.launcher = 'pytorch'
    cfg.merge_from_dict(options)
    try:
        model = build_runner(cfg).model
        assert (model.find_unused_parameters, model.broadcast_buffers) == expected
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize('epochs', [2, 3])
def test_the_rate_falls_to_its_end_at_the_last_epoch(epochs, tmp_path, faces):
    """The length of a schedule is written once: T_max of the cosine is the number of epochs."""
    cfg = small_training(CONFIG, faces, tmp_path)
    cfg.train_cfg.max_epochs = epochs
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.test_cfg = cfg.test_dataloader = cfg.test_evaluator = None
    cfg.default_hooks.checkpoint = None
    runner = build_runner(cfg)
    train_and_test(runner)
    [scheduler] = runner.param_schedulers
    assert scheduler.T_max == epochs * 4
    # The value after the last step would be 0.
    steps = scheduler.T_max
    assert runner.optim_wrapper.get_lr()['lr'] == pytest.approx(
        [0.005 * (1 + math.cos(math.pi * (steps - 1) / steps))]
    )


def test_runs_that_a_process_starts_in_one_second_have_files_of_their_own(tmp_path, faces, monkeypatch):
    monkeypatch.setattr('mmengine.runner.runner.time.time', lambda: 1e9)
    runners = [build_runner(small_training(CONFIG, faces, tmp_path / name)) for name in 'ab']
    assert runners[0].experiment_name != runners[1].experiment_name
    assert runners[0].visualizer is not runners[1].visualizer
    assert all(len(list((tmp_path / name).glob('*/*.log'))) == 1 for name in 'ab')


@pytest.mark.parametrize('device, pinned', [(None, True), ('cpu', True), ('cuda', False)])
def test_batches_are_pinned_unless_the_images_are_on_a_gpu(tmp_path, monkeypatch, device, pinned):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    # mmengine's logger names the GPU.
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0')
    options = {'train_dataloader.dataset.device': device} if device else {}
    cfg = load_config('imcnn_celeba_fast.py', work_dir=str(tmp_path), cfg_options=options)
    assert cfg.train_dataloader.pin_memory == pinned and cfg.val_dataloader.pin_memory
    # Without a test loader, a loader for predictions has the dataset of the training.
    cfg.test_dataloader, built = None, []
    monkeypatch.setattr(predict_split.Runner, 'build_dataloader', lambda settings, seed: built.append(settings))
    monkeypatch.setattr(predict_split, 'let_workers_follow', lambda loader: loader)
    predict_split.open_loader(cfg, 'test_dataloader')
    assert built[0]['pin_memory'] == pinned


@pytest.mark.parametrize('option', ['num_workers', 'pin_memory'])
def test_images_on_a_gpu_are_neither_pinned_nor_sent(tmp_path, option):
    options = {'val_dataloader.dataset.device': 'cuda:1', f'val_dataloader.{option}': 1}
    with pytest.raises(ConfigError, match=r"val_dataloader\.dataset\.device is 'cuda:1'.*set val_dataloader\.num"):
        load_config('imcnn_celeba_fast.py', work_dir=str(tmp_path), cfg_options=options)
