import pytest
import torch
from benchlib import inference
from benchlib.network import Network


@pytest.fixture(scope='module')
def images():
    torch.manual_seed(0)
    return torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)


@pytest.fixture(scope='module')
def predictors(images):
    torch.manual_seed(0)
    return inference.make_predictors(Network(1 / 16, 32, num_identities=0), images, compiled=False)


def test_predictors_agree(predictors, images):
    with torch.inference_mode():
        expected = predictors[inference.REFERENCE](images)
    # Not half everywhere, or any network would agree.
    assert expected.std() > 0.02
    for name, values in inference.agreement(predictors, images).items():
        single = predictors[name].dtype == torch.float32
        assert values['largest_difference'] < (1e-5 if single else 0.02), name
        assert values['labels_agree'] >= (1 if single else 0.95), name


def test_a_wrong_predictor_does_not_agree(predictors, images):
    right = predictors[inference.REFERENCE]
    values = inference.agreement({inference.REFERENCE: right, 'wrong': lambda images: 1 - right(images)}, images)
    assert values['wrong']['labels_agree'] == 0 and values[inference.REFERENCE]['labels_agree'] == 1


def test_precisions_match_the_names(predictors):
    for name, predictor in predictors.items():
        assert (predictor.dtype == torch.bfloat16) == ('bf16' in name)
    weight = predictors['ours, bf16 autocast, channels_last'].model.backbone.layers.conv2[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
    assert predictors['ours, float32'].model.backbone.layers.conv2[0].weight.is_contiguous()


def test_a_call_predicts_the_batch_several_times():
    seen = []
    calls = inference.make_calls(dict(a=lambda images: seen.append(len(images))), torch.zeros(3, 1), calls=4)
    calls['a']()
    assert seen == [3] * 4


def test_rows_and_table_of_given_times(predictors):
    names = [inference.REFERENCE, 'optimized, bf16']
    chosen = {name: predictors[name] for name in names}
    seconds = {names[0]: [0.4, 0.5, 0.6], names[1]: [0.1, 0.2, 0.3]}
    bounds = {torch.float32: 0.25, torch.bfloat16: 0.05}
    rows = inference.inference_rows(chosen, {}, seconds, 10, bounds)
    assert rows[1]['images_per_second'] == 50 and rows[1]['times_reference'] == pytest.approx(2.5)
    assert [row['share_of_roofline'] for row in rows] == pytest.approx([0.5, 0.25])
    table = inference.inference_table(rows, dict.fromkeys(names, dict(labels_agree=0.995)))
    assert table[2] == ['optimized, bf16', '10', '200 ms', '50', '2.50', '25%', '99.50%', '-', '-']
