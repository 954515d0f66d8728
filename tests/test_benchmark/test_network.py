from pathlib import Path

import pytest
from benchlib.network import Network, build_model, count_weights, share_weights

from imcnn_plugin.engine import load_config

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'imcnn_celeba.py'


def test_the_default_is_the_paper_s_network():
    cfg = load_config(CONFIG)
    cfg.model.backbone.width = 1.0
    assert Network().change(load_config(CONFIG)).model == cfg.model
    assert count_weights(build_model(cfg, 'meta')) == pytest.approx(333.7e6, rel=0.002)


def test_a_second_model_of_the_same_weights():
    first = build_model(Network(width=1 / 32, size=32, num_identities=5).change(load_config(CONFIG)))
    second = share_weights(first)
    assert second is not first and second.backbone is not first.backbone
    tensors = [model.state_dict(keep_vars=True).values() for model in (first, second)]
    assert all(one is other for one, other in zip(*tensors))
