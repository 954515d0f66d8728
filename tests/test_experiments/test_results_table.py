import base64
import zlib

from imcnn_plugin.experiments import SweepTable, group_rows
from imcnn_plugin.experiments.results_file import _pack_counts, _unpack_counts


def test_runs_evaluated_on_other_images_are_not_compared(row, counts):
    rows = [
        row('A', 0, [10, 11, 12]),
        row('B', 0, [11, 12, 14]),
        row('C', 0, [13, 13, 13], checksums=dict(images='y')),
    ]
    other = _pack_counts(counts([10, 10, 10], [10, 10, 10], labelled=[10, 20, 20]))
    rows += [row('D', 0, [10, 11, 13]), row('D', 1, [10, 10, 10], by_identity=other)]
    table = SweepTable(group_rows(rows))
    cells, remarks = table.cells(), table.remarks()
    nothing = ('-', '-', '-')
    # Of 120 and of 60 labels; the identities differ by 1, 1 and 2 of their 40 and of their 20.
    found = ('+3.33 (+2.50 to +5.00)', '+0.00 (+0.00 to +0.00)', '+6.67 (+5.00 to +10.00)')
    assert [tuple(cell[5:8]) for cell in cells[1:]] == [nothing, found, nothing, nothing]
    assert cells[2][2:5] == ('70.00', f'{25 + 37 / 1.2:.2f}', '-')
    assert remarks[:2] == [
        'C is not compared with A: evaluated on other images (seed 0)',
        'D is not compared with A: evaluated on other images (seed 1)',
    ]
    assert remarks[2].startswith('A was evaluated on split test: 60 images of 3 identities.')
    assert remarks[2].endswith('The within-identity agreement of their labels is 85.00 %.')
    assert remarks[4].startswith('1 attributes are identity-stable')
    assert remarks[4].endswith(': Male. The other 1 are transient.')
    assert [cell[5][:5] for cell in SweepTable(group_rows(rows), 'B').cells()[1:]] == ['-3.33', '-', '-', '-']
    table = SweepTable(group_rows(rows), 'E')
    cells, remarks = table.cells(), table.remarks()
    assert {cell[5] for cell in cells[1:]} == {'-'}
    assert remarks[0] == "There is no row of the baseline 'E', so nothing is compared." and len(remarks) == 2
    # A baseline that was itself evaluated on two sets of images is compared with nothing.
    table = SweepTable(group_rows(rows), 'D')
    cells, remarks = table.cells(), table.remarks()
    assert {cell[5] for cell in cells[1:]} == {'-'} and 'D is not compared with D' in ' '.join(remarks)
    assert 'Nothing is compared, since runs of D were evaluated on different images.' in remarks
    assert not any(remark.startswith('Differences are') for remark in remarks)
    # Nor are its attributes.
    for baseline, others in (('A', ['B']), ('D', [])):
        cells = SweepTable(group_rows(rows), baseline).attribute_cells()
        assert list(cells[0]) == ['attribute', 'identity-stable', f'{baseline} (%)', *others]


def test_an_attribute_without_known_labels_has_no_accuracy(row, counts):
    unknown = _pack_counts(counts([0, 0, 0], [10, 11, 12], labelled=[0, 0, 0]))
    rows = [row(name, 0, [10, 11, 12], by_identity=unknown, accuracy=dict(Male=None, Smiling=55.0)) for name in 'AB']
    table = SweepTable(group_rows(rows))
    assert [cell[2:] for cell in table.attribute_cells()[1:]] == [('-', '-'), ('55.00', '+0.00')]
    # All differences are those of Smiling.
    assert table.differences['B'][0] == table.differences['B'][2] == (0, 0, 0)
    assert table.cells()[2][5:8] == ('+0.00 (+0.00 to +0.00)', '-', '+0.00 (+0.00 to +0.00)')


def test_counts_packed_by_earlier_versions_are_compared_with_those_of_today(row):
    def old(values):
        counts = _unpack_counts(values['by_identity'], 2)
        numbers = dict(wrong=counts['labelled'] - counts['correct'], labelled=counts['labelled'])
        packed = {key: base64.b64encode(zlib.compress(n.T.astype('<u2').tobytes())) for key, n in numbers.items()}
        return values | dict(by_identity=dict(packed, identity=counts['identity'].tolist()))

    today = [row('A', 0, [10, 11, 12]), row('B', 0, [11, 12, 13])]
    expected = SweepTable(group_rows(today))
    for rows in ([old(today[0]), today[1]], [today[0], old(today[1])], list(map(old, today))):
        table = SweepTable(group_rows(rows))
        assert table.cells() == expected.cells() and table.remarks() == expected.remarks()


def test_folds_are_compared_one_by_one(row):
    def fold(name, number, smiling, seed=0):
        return row(name, seed, smiling, fold=number, checksums=dict(images=number))

    rows = [fold('A', 0, [10, 11, 12]), fold('A', 1, [10, 10, 10])]
    rows += [fold('B', 1, [12, 12, 12]), fold('B', 0, [11, 12, 14]), fold('C', 0, [11, 12, 14])]
    # Another seed of a fold counts for that fold.
    rows += [fold('D', 0, [10, 11, 13]), fold('D', 0, [12, 13, 15], seed=1), fold('D', 1, [12, 12, 12])]
    table = SweepTable(group_rows(rows))
    cells, remarks = table.cells(), table.remarks()
    # Ten more of 240 labels, and of the 120 of Smiling.
    assert [cell[5].split(' ')[0] for cell in cells[1:]] == ['-', '+4.17', '-', '+4.17']
    assert cells[2][7].startswith('+8.33 (+') and [cell[1] for cell in cells[1:]] == ['2', '2', '1', '3']
    assert remarks[0] == 'C is not compared with A: evaluated on folds 0, the baseline on 0, 1'
    assert remarks[1].startswith('A was evaluated on split test, fold 0, 1: 120 images of 6 identities.')
    assert 'Smiling' in table.text() and 'Smiling' not in SweepTable(group_rows(rows[:1])).text().split('labels is')[0]
    assert table.attribute_cells()[0][2:] == ('A (%)', 'std', 'B', 'D') and cells[0][1] == 'runs'
    [smiling] = [cell for cell in table.attribute_cells() if cell[0] == 'Smiling']
    assert smiling[2:] == ('52.50', '3.54', '+8.33', '+8.33')


def test_the_lowest_fold_says_which_attributes_are_identity_stable(row):
    def fold(name, number, smiling, stable):
        return row(name, 0, smiling, fold=number, checksums=dict(images=number), identity_stable=[stable])

    rows = [fold('A', 0, [10, 11, 12], 'Male'), fold('A', 1, [10, 10, 10], 'Smiling')]
    rows += [fold('B', 0, [11, 12, 14], 'Male'), fold('B', 1, [12, 12, 12], 'Smiling')]
    tables = [SweepTable(group_rows(some)) for some in (rows, [rows[i] for i in (1, 0, 3, 2)])]
    for table in tables:
        assert table.cells()[2][6:8] == ('+0.00 (+0.00 to +0.00)', table.cells()[2][7])
        assert [cell[:2] for cell in table.attribute_cells()[1:]] == [('Male', 'yes'), ('Smiling', '')]
        assert 'beyond chance of at least 0.35 in fold 0): Male.' in ' '.join(table.remarks())
    assert tables[0].cells()[2] == tables[1].cells()[2]


def test_folds_count_alike_however_many_runs_they_have(row):
    def fold(name, number, smiling, seed=0):
        return row(name, seed, smiling, fold=number, checksums=dict(images=number))

    rows = [fold('A', 0, [20, 20, 20]), fold('A', 1, [0, 0, 0])]
    rows += [fold('B', 0, [20, 20, 20]), fold('B', 0, [20, 20, 20], seed=1), fold('B', 1, [0, 0, 0])]
    table = SweepTable(group_rows(rows))
    assert table.cells()[1][3] == table.cells()[2][3] == '50.00'
    [smiling] = [cell for cell in table.attribute_cells() if cell[0] == 'Smiling']
    assert smiling[2] == '50.00' and smiling[4] == '+0.00'
