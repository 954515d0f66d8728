"""A work directory is where it is: copies and moved ones use their own checkpoints, whatever paths these name."""

import shutil
from pathlib import Path

import pytest
import torch

from imcnn_plugin.checkpoints import find_latest
from imcnn_plugin.engine import build_runner, load_config, train_and_test


@pytest.mark.parametrize('moved', [True, False])
def test_a_run_goes_on_with_the_best_checkpoint_beside_it(trained, faces, tmp_path, moved):
    original = Path(shutil.copytree(trained, tmp_path / 'original'))
    [best] = original.glob('best_*.pth')
    # Both name the original, as if it had been trained there.
    for path in original.glob('*.pth'):
        checkpoint = torch.load(path)
        for key in ('last_ckpt', 'best_ckpt'):
            info = checkpoint['message_hub']['runtime_info']
            info[key] = str(original / Path(info[key]).name) if key in info else None
        torch.save(checkpoint, path)
    (original / 'last_checkpoint').write_text(str(original / 'epoch_1.pth'))
    here = tmp_path / 'here'
    (shutil.move if moved else shutil.copytree)(original, here)

    # As the config of a resumed run says.
    with open(here / 'imcnn_demo.py', 'a') as file:
        file.write(f'work_dir = {str(original)!r}\nload_from = {str(original / "epoch_1.pth")!r}\n')
    cfg = load_config(here / 'imcnn_demo.py', data_root=str(faces))
    assert (cfg.work_dir, cfg.load_from) == (str(here), str(here / 'epoch_1.pth'))
    cfg.load_from, cfg.resume = find_latest(here), True
    assert cfg.load_from == str(here / 'epoch_1.pth')
    # A better one replaces that of the copy alone.
    cfg.train_cfg.max_epochs = 2
    cfg.default_hooks.checkpoint.save_best, cfg.default_hooks.checkpoint.rule = 'attr/mean_f1', 'less'
    runner = build_runner(cfg)
    loaded = []
    load = runner.load_checkpoint
    runner.load_checkpoint = lambda path, **kwargs: loaded.append(path) or load(path, **kwargs)
    train_and_test(runner)
    assert Path(runner.message_hub.runtime_info['best_ckpt']).parent == here
    assert [Path(path).parent for path in loaded] == [here, here]
    assert original.exists() != moved and best.exists() != moved
