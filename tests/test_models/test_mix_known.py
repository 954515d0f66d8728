import torch

from imcnn_plugin.models import mix_known


def test_what_is_mixed_with_an_unknown_label_is_unknown():
    def mix(inputs, score):
        return inputs, 0.25 * score + 0.75 * score[[1, 2, 0]]

    score = torch.tensor([[1, 0, -1], [0, -1, -1], [1, 1, 0]])
    _, found = mix_known(mix, None, score)
    assert found.tolist() == [[0.25, -1, -1], [0.75, -1, -1], [1, 0.25, -1]]
    # Also by a share of nothing.
    _, found = mix_known(lambda inputs, score: (inputs, 1.0 * score + 0.0 * score[[1, 2, 0]]), None, score)
    assert found.tolist() == [[1, -1, -1], [0, -1, -1], [1, 1, -1]]
