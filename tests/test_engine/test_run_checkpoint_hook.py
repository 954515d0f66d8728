from types import SimpleNamespace

import pytest
from mmengine.logging import MMLogger
from mmpretrain.registry import HOOKS


@pytest.mark.parametrize('save_best', ['a', ['a', 'b']])
def test_forgets_best_checkpoints_of_other_runs(tmp_path, save_best):
    own, other = str(tmp_path / 'own' / 'best.pth'), str(tmp_path / 'other' / 'best.pth')
    hook = HOOKS.build(dict(type='mmpretrain.RunCheckpointHook', save_best=save_best, rule='greater'))
    runtime_info = dict(best_ckpt=other, best_ckpt_a=own, best_ckpt_b=other)
    hub = SimpleNamespace(runtime_info=runtime_info, get_info=runtime_info.get)
    hook.before_train(
        SimpleNamespace(work_dir=str(tmp_path / 'own'), message_hub=hub, logger=MMLogger.get_instance('test'))
    )
    if save_best == 'a':
        assert hook.best_ckpt_path is None
    else:
        assert hook.best_ckpt_path_dict == dict(a=own, b=None)
