import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from imcnn_plugin.errors import DataError
from imcnn_plugin.evaluation import read_face_pairs, verification_rows, verification_table, verify_faces
from imcnn_plugin.evaluation.face_verification import _standard_error

PAIRS = (
    '2\t2\nAda\t1\t4\nBo\t2\t3\nAda\t1\tBo\t2\nAda\t4\tCy\t12\nDee\t1\t2\nDee\t1\t3\nDee\t1\tEve\t1\nDee\t2\tEve\t2\n'
)


@pytest.fixture
def drawn():
    """Similarities of 6,000 pairs in ten folds that overlap, some of them equal."""
    draw = np.random.default_rng(0)
    same = np.arange(6000) // 300 % 2 == 0
    return (draw.normal(same, 1).round(2), same, np.arange(6000) // 600)


def test_accuracy_is_that_of_the_best_threshold_on_the_other_folds(drawn):
    similarity, same, fold = drawn
    result = verify_faces(*drawn)
    for held_out in range(10):
        own = fold == held_out
        thresholds = np.unique(similarity)
        right = [((similarity[~own] >= t) == same[~own]).sum() for t in thresholds]
        best = [t for t, number in zip(thresholds, right) if number == max(right)]
        expected = [100 * ((similarity[own] >= t) == same[own]).mean() for t in best]
        assert result.accuracy[held_out] in expected
    # Two normal distributions that are one standard deviation apart.
    assert result.mean == pytest.approx(69.1, abs=1.5)
    assert _standard_error(result.accuracy) == pytest.approx(result.accuracy.std(ddof=1) / 10**0.5)
    assert result.auc == pytest.approx(roc_auc_score(same, similarity))


def test_chance_and_certainty():
    same = np.arange(6000) // 300 % 2 == 0
    fold = np.arange(6000) // 600
    noise = verify_faces(np.random.default_rng(0).normal(size=6000), same, fold)
    assert noise.mean == pytest.approx(50, abs=2) and noise.auc == pytest.approx(0.5, abs=0.03)
    constant = verify_faces(np.zeros(6000), same, fold)
    assert constant.mean == 50 and constant.auc == 0.5
    certain = verify_faces(same.astype(float), same, fold)
    assert certain.mean == 100 and certain.auc == 1 and _standard_error(certain.accuracy) == 0
    # One fold has no standard error.
    alone = verify_faces(same.astype(float), same, np.zeros(6000))
    assert np.isnan(_standard_error(alone.accuracy))
    cells = verification_table(verification_rows(dict(one=dict(F=alone), ten=dict(F=certain))))
    assert [row[1] for row in cells[1:]] == ['100.00', '100.00 +- 0.00']
    with pytest.raises(ValueError, match='pairs of one person and of two'):
        verify_faces(np.zeros(3), np.ones(3, bool), np.zeros(3))


def test_reads_the_list_of_pairs(tmp_path):
    path = tmp_path / 'pairs.txt'
    path.write_text(PAIRS)
    pairs = read_face_pairs(path)
    assert pairs.same.tolist() == [True, True, False, False] * 2 and pairs.fold.tolist() == [0] * 4 + [1] * 4
    assert pairs.names[0] == ('Ada/Ada_0001.jpg', 'Ada/Ada_0004.jpg')
    assert pairs.names[3] == ('Ada/Ada_0004.jpg', 'Cy/Cy_0012.jpg')
    # The list of the training view has one fold, whose number is left out.
    path.write_text('2\n' + '\n'.join(PAIRS.splitlines()[1:5]))
    assert read_face_pairs(path).fold.tolist() == [0] * 4


@pytest.mark.parametrize(
    'old, new, message',
    [
        ('2\t2\n', 'ten\t300\n', "line 1: expected the number of folds and of pairs, found 'ten 300'"),
        ('2\t2\n', '2\t3\n', r'expected 12 pairs, 2 folds of 2 x 3, found 8'),
        ('Bo\t2\t3', 'Bo\t2', "line 3: expected 'person number number', found 'Bo 2'"),
        (
            'Dee\t1\tEve\t1',
            'Dee\t1\tEve\tone',
            "line 8: expected 'person number person number', found 'Dee 1 Eve one'",
        ),
    ],
)
def test_other_lists_are_rejected(tmp_path, old, new, message):
    path = tmp_path / 'pairs.txt'
    path.write_text(PAIRS.replace(old, new, 1))
    with pytest.raises(DataError, match=message) as error:
        read_face_pairs(path)
    assert str(path) in str(error.value)


def test_pairs_without_their_images_are_left_out(tmp_path):
    (tmp_path / 'pairs.txt').write_text(PAIRS)
    pairs = read_face_pairs(tmp_path / 'pairs.txt')
    for name in {name for pair in pairs.names for name in pair} - {'Bo/Bo_0003.jpg'}:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = pairs.inside(tmp_path)
    assert found.names == [pairs.names[0], *pairs.names[2:]]
    assert found.same.tolist() == [True, False, False, True, True, False, False]
    assert found.fold.tolist() == [0, 0, 0, 1, 1, 1, 1]
    with pytest.raises(DataError, match=r'Ada/Ada_0001.jpg is not there, and so are \d+ more of the images'):
        pairs.inside(tmp_path / 'nowhere')
