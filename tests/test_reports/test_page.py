import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from sklearn.metrics import balanced_accuracy_score

from imcnn_plugin.attributes import ATTRIBUTES, NINE_GROUPS
from imcnn_plugin.engine.training_log import TrainingLog
from imcnn_plugin.errors import DataError
from imcnn_plugin.evaluation import AttributeReport
from imcnn_plugin.label_conflicts import predict_without_conflicts
from imcnn_plugin.reports.page import _find_mismatches, _render_page, write_report
from imcnn_plugin.reports.split_predictions import SplitPredictions
from imcnn_plugin.reports.work_dir import WorkDir

HOSTILE = '<script>window.broken=1</script>'
QUOTED = '"><img src=x onerror=window.broken=1>'


class Page(HTMLParser):
    """Tags with their attributes, the text, and the tables of a page by the id of the heading above."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.tables = [], '', {}
        self.section, self.rows = None, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == 'h2':
            self.section = dict(attributes)['id']
        elif tag == 'table':
            self.rows = []
            self.tables.setdefault(self.section, []).append(self.rows)
        elif tag == 'tr':
            self.rows.append([])
        elif tag in ('th', 'td'):
            self.rows[-1].append('')

    def handle_endtag(self, tag):
        if tag == 'table':
            self.rows = []

    def handle_data(self, data):
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()

    def table(self, section, number=0):
        """Rows by their first cells, the headings first."""
        return {row[0]: row[1:] for row in self.tables[section][number]}


def predict(classes, groups=(), images=120, seed=0, names='{:06d}.jpg'):
    """Mostly right predictions for identities with three images each."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((images, len(classes))) < 0.3).astype(int)
    targets[rng.random(targets.shape) < 0.05] = -1
    # Some without any positive image.
    targets[:, ::17] = np.minimum(targets[:, ::17], 0)
    logits = 3 * (2 * (targets == 1) - 1) + 3 * rng.standard_normal(targets.shape)
    p, identity = 1 / (1 + np.exp(-logits)), np.arange(images) // 3
    thresholds = rng.uniform(0.3, 0.7, len(classes))
    metainfo = dict(protocol='official', split='test')
    report = AttributeReport.from_scores(p, targets, identity, classes, groups, thresholds, metainfo)
    paths = [names.format(i) for i in range(images)]
    return SplitPredictions(p, targets, identity, thresholds, paths, list(classes), list(groups), report)


def make_run(folder, **others):
    epochs = np.array([1.0, 2.0])
    curve = epochs, np.array([80.0, 81.5])
    log = TrainingLog(
        dict(loss_attr=curve, loss_id=curve, loss=curve),
        dict(mean_accuracy=curve, majority_baseline=curve, mean_balanced_accuracy=curve, mAP=curve, mean_f1=curve),
        ('20260102_030405', '20260103_000000'),
        'epoch',
    )
    config = Config(dict(train_cfg=dict(max_epochs=2), randomness=dict(seed=7)))
    return WorkDir(**{**dict(path=folder, name='some_net', config=config, log=log), **others})


@pytest.fixture(scope='module')
def predictions():
    return predict(ATTRIBUTES, NINE_GROUPS)


def test_the_table_shows_the_metrics_of_the_predictions(predictions, tmp_path):
    page = Page(_render_page(make_run(tmp_path), predictions, ['one thing is missing']))
    table = page.table('attributes')
    assert [*table] == ['Attribute', *ATTRIBUTES, 'mean']
    headings = table.pop('Attribute')
    for i, name in enumerate(ATTRIBUTES):
        row = dict(zip(headings, table[name]))
        known = predictions.targets[:, i] >= 0
        y, on = predictions.targets[known, i], predictions.probabilities[known, i] >= predictions.thresholds[i]
        assert row['Accuracy'] == f'{100 * np.mean(on == y):.2f}'
        assert row['Baseline'] == f'{100 * max(y.mean(), 1 - y.mean()):.2f}'
        assert row['Gain'] == f'{100 * (np.mean(on == y) - max(y.mean(), 1 - y.mean())):+.2f}'
        assert row['Threshold'] == f'{predictions.thresholds[i]:.3f}'
        expected = f'{100 * balanced_accuracy_score(y, on):.2f}' if y.any() else '–'
        assert row['Balanced accuracy'] == expected
    assert table['Bald'][headings.index('Paper')] == '99.19'
    assert table['mean'][headings.index('Paper')] == '92.16'
    mean = f'{predictions.report.mean_accuracy:.2f}'
    assert table['mean'][headings.index('Accuracy')] == mean and f'Mean accuracy{mean} %' in page.text
    groups = page.table('groups')
    assert groups['Gender'][1] == table['Male'][1] and len(groups) == 10
    assert 'one thing is missing' in page.text


def test_the_first_screen_says_what_counts(predictions, tmp_path):
    page = Page(_render_page(make_run(tmp_path), predictions, []))
    rows = [(name, float(row[page.table('attributes')['Attribute'].index('Gain')]))
            for name, row in page.table('attributes').items() if name in ATTRIBUTES]  # fmt: skip
    rows.sort(key=lambda row: row[1])
    text = ' '.join(page.text.split())
    [least] = re.findall(r'Least: (.*?)\.(?: Look|$)', text)
    assert least == ', '.join(f'{name} ({gain:+.1f})' for name, gain in rows[:5])
    below = [name for name in ATTRIBUTES if dict(rows)[name] < 0]
    assert below and f'Look at the {len(below)} below the baseline: {", ".join(below)}.' in text
    means = predictions.report.means
    gain = means['accuracy'] - means['majority_baseline']
    assert f'predicts {means["accuracy"]:.1f} % of the labels as they are, {gain:.1f} points more than always' in text


def test_a_second_run_stands_beside(predictions, tmp_path):
    second = predict(ATTRIBUTES, NINE_GROUPS, seed=1).report
    for name, report in (('one', predictions.report), ('two', second)):
        (tmp_path / name).mkdir()
        report.save(tmp_path / name)
    path, notes = write_report(tmp_path / 'one', compare=tmp_path / 'two')
    page = Page(path.read_text())
    headings, *rows = page.tables['attributes'][0]
    for row in rows:
        if row[0] in ATTRIBUTES:
            one, two = (report.attributes[row[0]]['accuracy'] for report in (predictions.report, second))
            assert row[headings.index('two')] == f'{two:.2f}'
            assert float(row[headings.index('Difference')]) == pytest.approx(one - two, abs=0.011)
    assert re.search(r'points (more|less)\s+than two', page.text)
    (tmp_path / 'none').mkdir()
    (tmp_path / 'none' / 'a.py').write_text('train_cfg = dict(max_epochs=1)')
    with pytest.raises(DataError, match='none has no per_attribute.json to compare with'):
        write_report(tmp_path / 'one', compare=tmp_path / 'none')
    (tmp_path / 'other').mkdir()
    predict(['a', 'b']).report.save(tmp_path / 'other')
    with pytest.raises(DataError, match='other was evaluated on other attributes'):
        write_report(tmp_path / 'one', compare=tmp_path / 'other')


def test_a_second_run_of_other_images_has_a_note(predictions, tmp_path, monkeypatch):
    def on(split, checksum):
        return replace(predictions.report, split=split, checksums=dict(images=checksum))

    # The first run's stored report is of its last validation, but its checkpoint predicts the test split.
    shown = replace(predictions, report=on('test', 'a'))
    monkeypatch.setattr('imcnn_plugin.reports.page.predict_test_split', lambda *_: shown)
    stored = dict(one=on('val', 'b'), val=on('val', 'b'), test=on('test', 'a'))
    for name, report in stored.items():
        (tmp_path / name).mkdir()
        report.save(tmp_path / name)
    (tmp_path / 'one' / 'best.pth').touch()

    def notes(second):
        found = write_report(tmp_path / 'one', compare=tmp_path / second)[1]
        return [note for note in found if 'other images' in note]

    assert len(notes('val')) == 1 and not notes('test')
    # Without a stored report the attributes are those of the predictions.
    (tmp_path / 'one' / 'per_attribute.json').unlink()
    assert len(notes('val')) == 1
    predict(['a', 'b']).report.save(tmp_path / 'val')
    with pytest.raises(DataError, match='val was evaluated on other attributes'):
        notes('val')


def test_the_other_tables_show_the_same_predictions(predictions, tmp_path):
    page = Page(_render_page(make_run(tmp_path), predictions, []))
    male = predictions.targets[:, ATTRIBUTES.index('Male')]
    assert f'with Male: {(male == 1).sum()} images' in page.text
    assert f'without: {(male == 0).sum()} images' in page.text
    for part, name in enumerate(('Male', 'Young')):
        rows, column = page.table('subgroups', part), predictions.targets[:, ATTRIBUTES.index(name)]
        y, on = (x[:, ATTRIBUTES.index('Bangs')] for x in (predictions.targets, predictions.predicted))
        accuracy = [100 * np.mean((on == y)[(y >= 0) & (column == label)]) for label in (1, 0)]
        assert rows['Bangs'][1:4] == [*(f'{x:.2f}' for x in accuracy), f'{accuracy[0] - accuracy[1]:+.2f}']
        gaps = [abs(float(row[3])) for row in [*rows.values()][1:-1] if row[3] != '–']
        assert gaps == sorted(gaps, reverse=True)
    assert len(page.table('conflicts')) == 11
    labels = predict_without_conflicts(predictions.probabilities, predictions.thresholds, ATTRIBUTES)
    assert (labels != predictions.predicted).any()
    right = np.where(predictions.targets >= 0, labels == predictions.targets, np.nan)
    assert f'a mean accuracy of {100 * np.nanmean(right, 0).mean():.2f} % instead of' in page.text
    worst = page.tables['errors'][0][1]
    i, j = int(worst[0].removesuffix('.jpg')), ATTRIBUTES.index(worst[1])
    wrong = (predictions.targets >= 0) & (predictions.predicted != predictions.targets)
    certainty = np.abs(predictions.targets - predictions.probabilities)
    assert certainty[i, j] == certainty[wrong].max() and worst[4] == str(i // 3)
    assert worst[2:4] == [('no', 'yes')[predictions.targets[i, j]], f'{100 * predictions.probabilities[i, j]:.2f}']
    assert page.tables['errors'][1][1][1].startswith(f'{wrong.sum(1).max()} of ')
    facts = page.table('setup')
    assert facts['Epochs'] == ['2 of 2'] and facts['Seed'] == ['7'] and facts['Versions'] == ['not recorded']
    assert facts['Training started'] == ['2026-01-02 03:04:05, first of 2 starts']
    assert facts['Thresholds'][0].endswith(', one per attribute')


def test_a_page_is_self_contained_and_reproducible(predictions, tmp_path):
    text = _render_page(make_run(tmp_path), predictions, [])
    assert text == _render_page(make_run(tmp_path), predictions, [])
    for tag, attributes in Page(text).tags:
        for key in ('src', 'href'):
            assert attributes.get(key, '#').startswith(('#', 'data:'))
        if tag == 'img':
            assert attributes['alt']
    assert not re.search(r'https?:|@import|url\(', re.sub(r'base64,[^"]*', '', text))


@pytest.mark.parametrize('predicted', [True, False])
def test_attributes_of_another_dataset(tmp_path, predicted):
    found = predict(['round', 'red', 'striped'])
    page = Page(_render_page(make_run(tmp_path, report=found.report), found if predicted else None, []))
    assert [*page.table('attributes')] == ['Attribute', 'round', 'red', 'striped', 'mean']
    assert 'Paper' not in page.table('attributes')['Attribute'] and 'IMCNN' not in page.text.split('Setup')[0]
    if predicted:
        assert 'The dataset has neither the attribute Male nor Young.' in page.text
        assert 'which this dataset does not have' in page.text
    else:
        assert page.text.count('This section needs predictions for the test split') == 4


def test_a_run_without_results_has_a_page_too(tmp_path):
    page = Page(_render_page(make_run(tmp_path, config=None, log=None), None, []))
    assert 'No validation or test results were found.' in page.text
    assert 'No training log was found.' in page.text
    assert page.table('setup')['Config'] == ['not found']


def test_everything_read_from_files_is_escaped(tmp_path):
    classes = [HOSTILE, QUOTED, 'a&amp;b', 'Male']
    found = predict(classes, [dict(name=HOSTILE, labels=classes[:2])], names=QUOTED + '{}.jpg')
    found.report.protocol = HOSTILE
    run = make_run(tmp_path, name=HOSTILE, config_file=QUOTED, config_text=f'</pre>{HOSTILE}', report=found.report)
    vars(run.report).update(versions={HOSTILE: QUOTED}, seed=HOSTILE, checksums={HOSTILE: QUOTED})
    for predictions in (found, None):
        page = Page(text := _render_page(run, predictions, [HOSTILE, QUOTED]))
        assert HOSTILE not in text and QUOTED not in text
        assert [tag for tag, _ in page.tags].count('script') == 1
        assert not any(key.startswith('on') for _, attributes in page.tags for key in attributes)
        assert HOSTILE in page.text and QUOTED in page.text and 'a&amp;b' in page.table('attributes')


def test_pictures_are_shown_only_on_request(tmp_path):
    for i in range(120):
        Image.new('RGB', (40, 80), (2 * i, 90, 20)).save(tmp_path / f'{i:06d}.jpg')
    found = predict(ATTRIBUTES, names=str(tmp_path / '{:06d}.jpg'))
    text = _render_page(make_run(tmp_path), found, [])
    assert 'image/jpeg' not in text and 'Images are not shown' in text
    text = _render_page(make_run(tmp_path), found, [], pictures=True)
    assert text.count('data:image/jpeg;base64,') == 40 and 'terms forbid publishing them' in text
    (tmp_path / '000000.jpg').unlink()
    with pytest.raises(DataError, match='.jpg not found: pictures require the dataset as image files'):
        _render_page(make_run(tmp_path), predict(ATTRIBUTES, names='{:06d}.jpg'), [], pictures=True)


def test_names_results_that_do_not_belong_together(predictions, tmp_path):
    run = make_run(tmp_path, checkpoint=tmp_path / 'a.pth', report=replace(predictions.report))
    assert [*_find_mismatches(run, predictions)] == []
    run.report.mean_accuracy -= 0.01
    [line] = _find_mismatches(run, predictions)
    assert line.startswith('per_attribute.json has a mean accuracy of ') and 'but a.pth has' in line
    run.report.split = 'val'
    assert [*_find_mismatches(run, predictions)] == []
    assert [*_find_mismatches(run, None)] == ['The results are of the val split: no test has completed.']


def test_an_unusable_checkpoint_is_a_line_or_if_requested_an_error(tmp_path):
    (tmp_path / 'best_a.pth').write_bytes(b'no checkpoint')
    path, notes = write_report(tmp_path)
    assert path == tmp_path / 'report.html' and notes[-1].startswith('The test split was not predicted: ')
    assert 'best_a.pth' in notes[-1] and 'best_a.pth' in Page(path.read_text()).text
    path.unlink()
    with pytest.raises(DataError, match='best_a.pth'):
        write_report(tmp_path, data_root=str(tmp_path))
    assert not path.exists()


@pytest.fixture(scope='module')
def written(predictions, tmp_path_factory):
    """The URL of a page with hostile names, and the accuracies in its table."""
    folder = tmp_path_factory.mktemp('page')
    found = predict([HOSTILE, QUOTED, *ATTRIBUTES], NINE_GROUPS, names='folder/' + QUOTED + '{}.jpg')
    run = make_run(folder, name=HOSTILE, config_text=f'</pre>{HOSTILE}')
    (folder / 'page.html').write_text(_render_page(run, found, [QUOTED]), encoding='utf-8')
    return (folder / 'page.html').as_uri(), [row['accuracy'] for row in found.report.attributes.values()]


@pytest.mark.parametrize('width', [1280, 400])
def test_a_browser_shows_it(browser, written, width):
    page, said, asked = browser.new_page(viewport=dict(width=width, height=900)), [], []
    page.on('console', lambda message: said.append(message.text))
    page.on('pageerror', lambda error: said.append(str(error)))
    page.on('request', lambda request: asked.append(request.url))
    page.goto(written[0])
    assert said == [] and page.evaluate('window.broken') is None
    assert [url for url in asked if not url.startswith('data:')] == [written[0]]
    assert page.evaluate('document.documentElement.scrollWidth') == width
    assert page.evaluate('[...document.images].every(image => image.naturalWidth > 100)')
    # Wide tables scroll horizontally, and their first column stays in place.
    assert page.evaluate(
        """[...document.querySelectorAll('.scroll')].every(frame => {
            frame.scrollLeft = 200;
            const name = frame.querySelector('tbody th').getBoundingClientRect().left;
            return Math.abs(name - frame.getBoundingClientRect().left) < 1;
        })"""
    )
    texts = "[...document.querySelectorAll('p, td, th, small, figcaption')]"
    assert min(page.evaluate(f'{texts}.map(text => parseFloat(getComputedStyle(text).fontSize))')) >= 11
    page.close()


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_texts_are_legible(browser, contrasts, written, scheme):
    page = browser.new_page(viewport=dict(width=1280, height=900), color_scheme=scheme)
    page.goto(written[0])
    found = contrasts(page)
    assert len(found) > 500 and min(found)[0] >= 4.5, min(found)
    background = page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert (background == 'rgb(255, 255, 255)') == (scheme == 'light')
    page.close()


def test_what_is_wider_than_the_page_says_so(browser, written):
    for width, wide in ((400, True), (1600, False)):
        page = browser.new_page(viewport=dict(width=width, height=900))
        page.goto(written[0])
        box = page.locator('#groups ~ .scroll').first
        assert ('wide' in box.get_attribute('class').split()) == wide
        page.evaluate("document.querySelector('#groups').scrollIntoView()")
        # The names of the sections stay in sight.
        assert page.locator('nav').bounding_box()['y'] < 1
        page.close()


def test_headings_sort(browser, written):
    page = browser.new_page()
    page.goto(written[0])
    table = page.locator('#attributes ~ .scroll table').first

    def column(number):
        return table.locator('tbody tr').evaluate_all(f'rows => rows.map(row => row.cells[{number}].textContent)')

    names = column(0)
    shown = sorted((f'{value:.2f}' for value in written[1]), key=float)
    table.get_by_role('button', name='Accuracy', exact=True).click()
    assert column(2) == shown[::-1]
    heading = table.locator('thead th').nth(2)
    assert heading.get_attribute('aria-sort') == 'descending'
    table.get_by_role('button', name='Accuracy', exact=True).click()
    assert column(2) == shown and heading.get_attribute('aria-sort') == 'ascending'
    for _ in range(2):
        table.get_by_role('button', name='Recall').click()
        assert column(7)[-3:] == ['–'] * 3 and column(7).count('–') == 3
    assert heading.get_attribute('aria-sort') is None
    table.get_by_role('button', name='Attribute').click()
    assert column(0) != names and sorted(column(0)) == sorted(names)
    assert table.locator('tfoot th').text_content() == 'mean'
    page.close()
