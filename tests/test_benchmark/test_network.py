import pytest
from benchlib.network import IMCNN_CONFIG, Network, count_weights, share_weights

from imcnn_plugin.engine import load_config


def test_the_default_is_the_paper_s_network():
    cfg = load_config(IMCNN_CONFIG)
    cfg.model.backbone.width = 1.0
    cfg.model.head.id_head.num_identities = 8192
    assert Network().resize(load_config(IMCNN_CONFIG)).model == cfg.model
    assert count_weights(Network().build('meta')) == pytest.approx(333.7e6, rel=0.002)


def test_a_second_model_of_the_same_weights():
    first = Network(width=1 / 32, size=32, num_identities=5).build()
    second = share_weights(first)
    assert second is not first and second.backbone is not first.backbone
    tensors = [model.state_dict(keep_vars=True).values() for model in (first, second)]
    assert all(one is other for one, other in zip(*tensors))
