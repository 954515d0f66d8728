import csv
import io
import json

from imcnn_plugin.apis.batch_inference import format_results


def read(text):
    return list(csv.reader(io.StringIO(text)))


def result(**attributes):
    values = {
        name: dict(probability=probability, threshold=0.5, label=probability >= 0.5)
        for name, probability in attributes.items()
    }
    face = dict(box=[1.0, 2.0, 3.0, 4.0], landmarks=None, score=0.9, quality=None, attributes=values)
    return dict(path='a.jpg', faces=[face], reason=None)


def test_an_attribute_may_be_named_like_a_column():
    tables = format_results([result(left=0.75, Male=0.25)], 'a.pth', ['left', 'Male'])
    header, row = read(tables['predictions.csv'])
    values = dict(zip(header, row))
    assert len(values) == len(header)
    assert (values['left'], values['left_label'], values['Male']) == ('1.0', '1', '0')
    assert dict(zip(*read(tables['probabilities.csv'])))['left_label'] == '0.75'


def test_every_attribute_has_a_column_of_its_own():
    tables = format_results([result(score=0.75, score_label=0.25)], 'a.pth', ['score', 'score_label'])
    header, row = read(tables['predictions.csv'])
    values = dict(zip(header, row))
    assert (values['score'], values['score_label'], values['score_label_label']) == ('0.9', '1', '0')


def test_a_rounded_probability_stays_on_its_side_of_the_threshold():
    found = format_results([result(a=0.49996, b=0.50004, c=0.5)], 'a.pth', ['a', 'b', 'c'])
    for name, values in json.loads(found['predictions.json'])['photos'][0]['faces'][0]['attributes'].items():
        assert values['label'] == (values['probability'] >= values['threshold']), name
        assert abs(values['probability'] - 0.5) < 1.1e-4
