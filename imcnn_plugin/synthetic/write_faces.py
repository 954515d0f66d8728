"""Drawn faces in CelebA's layout, with all 40 attributes and identities, for trying out a pipeline without CelebA."""

import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from ..attributes import ATTRIBUTES
from ..errors import DataError
from ..parallel import usable_cores
from .face_drawing import draw_face

PER_IMAGE = (
    'Bangs',
    'Blurry',
    'Eyeglasses',
    'Heavy_Makeup',
    'Mouth_Slightly_Open',
    'Rosy_Cheeks',
    'Smiling',
    'Wearing_Earrings',
    'Wearing_Hat',
    'Wearing_Lipstick',
    'Wearing_Necklace',
    'Wearing_Necktie',
)
PERSISTENT = tuple(name for name in ATTRIBUTES if name not in PER_IMAGE)

EYE_COLOURS = np.array([(70, 42, 24), (60, 110, 170), (74, 120, 70), (110, 116, 122)], float)


def sample_identity(seed, identity):
    """Sample what a person keeps in all pictures.

    Returns:
        tuple[dict, dict]: Continuous traits (they have no label and make the person recognisable), and the bool of
        each name in ``PERSISTENT``.
    """
    rng = np.random.default_rng([seed, 1, identity])
    traits = dict(
        skin=rng.random(),
        eye_colour=EYE_COLOURS[rng.integers(4)] + rng.uniform(-12, 12, 3),
        eye_gap=rng.uniform(-2, 2),
        face_width=rng.uniform(-2.5, 2.5),
        chin=rng.uniform(-3, 3),
        nose_length=rng.uniform(-3, 3),
        mouth_width=rng.uniform(-2, 2),
        brow_height=rng.uniform(-1.5, 1.5),
        ear=rng.uniform(0.85, 1.15),
        hair_shade=rng.uniform(0.85, 1.15),
        hair_length=rng.random(),
        parting=rng.uniform(-14, 14),
        side=rng.choice([-1, 1]),
        makeup=rng.uniform(0.3, 0.9),
        freckles=rng.uniform(-2.5, 2.5, (12, 2)),
        strands=rng.uniform(-2, 2, 34),
    )

    def chance(probability):
        return bool(rng.random() < probability)

    has = dict.fromkeys(PERSISTENT, False)
    male = has['Male'] = chance(0.5)
    young = has['Young'] = chance(0.6)
    has['Attractive'] = chance(0.6 if young else 0.35)
    has['Pale_Skin'] = chance(0.25)
    has['Oval_Face'] = chance(0.4)
    has['Chubby'] = chance(0.4) and not has['Oval_Face']
    has['Double_Chin'] = chance(0.5 if has['Chubby'] else 0.15)
    has['High_Cheekbones'] = chance(0.4)
    has['Big_Nose'] = chance(0.4 if male else 0.25)
    has['Pointy_Nose'] = chance(0.35)
    has['Big_Lips'] = chance(0.35)
    has['Narrow_Eyes'] = chance(0.3)
    has['Bushy_Eyebrows'] = chance(0.5 if male else 0.2)
    has['Arched_Eyebrows'] = chance(0.25 if male else 0.55)
    has['Bags_Under_Eyes'] = chance(0.25 if young else 0.45)
    has['Bald'] = chance(0.32 if male else 0)
    if not has['Bald']:
        has['Receding_Hairline'] = chance(0.35 if male else 0.15)
        grey = 0.05 if young else 0.45
        names = ('Gray_Hair', 'Black_Hair', 'Blond_Hair', 'Brown_Hair', None)
        # Red hair is the None: there is no name for it.
        colour = names[rng.choice(5, p=[grey, *[(1 - grey) * 0.3] * 3, (1 - grey) * 0.1])]
        texture = ('Straight_Hair', 'Wavy_Hair', None)[rng.choice(3, p=[0.38, 0.38, 0.24])]
        has.update({name: True for name in (colour, texture) if name})
    has['No_Beard'] = not (male and chance(0.7))
    if not has['No_Beard']:
        # A man with none of the four styles wears a full beard.
        for name in ('Goatee', 'Mustache', 'Sideburns', '5_o_Clock_Shadow'):
            has[name] = chance(0.48)
    return traits, has


def sample_image(traits, persistent, rng):
    """Sample the attributes of one picture: a dict of bool for all 40 names, in ``ATTRIBUTES``' order."""
    male, makeup = persistent['Male'], 0.04 if persistent['Male'] else traits['makeup']
    smiling, necktie = rng.random() < 0.5, rng.random() < (0.32 if male else 0.06)
    probability = dict(
        Bangs=0.0 if persistent['Bald'] or persistent['Receding_Hairline'] else 0.2 if male else 0.4,
        Blurry=0.12,
        Eyeglasses=0.2,
        Heavy_Makeup=makeup * 0.7,
        Mouth_Slightly_Open=0.6 if smiling else 0.35,
        Rosy_Cheeks=0.15 if male else 0.35,
        Smiling=smiling,
        Wearing_Earrings=0.06 if male else 0.45,
        Wearing_Hat=0.13,
        Wearing_Lipstick=makeup,
        Wearing_Necklace=0.0 if necktie else 0.06 if male else 0.45,
        Wearing_Necktie=necktie,
    )
    # Every name takes one number whatever comes out, so that one attribute does not shift those after it.
    image = {name: bool(rng.random() < probability[name]) for name in PER_IMAGE}
    return {name: image[name] if name in image else persistent[name] for name in ATTRIBUTES}


def sample_labels(identities, images, seed):
    """Labels of a whole set without drawing: bool array (identities, images, 40)."""
    labels = np.zeros((identities, images, len(ATTRIBUTES)), bool)
    for identity in range(identities):
        traits, persistent = sample_identity(seed, identity)
        for image in range(images):
            attributes = sample_image(traits, persistent, _image_rng(seed, identity, image))
            labels[identity, image] = list(attributes.values())
    return labels


def _image_rng(seed, identity, image):
    return np.random.default_rng([seed, 2, identity, image])


def write_faces(out_dir, identities=200, images=20, seed=0, jobs=None, label_noise=0.0):
    """Write ``identities * images`` drawn faces in CelebA's layout.

    About 70, 10 and 20 % of the identities are in the train, validation and test part. The same seed gives the same
    bytes whatever ``jobs`` is.

    Args:
        out_dir (str | Path): New or empty folder. Gets ``img_align_celeba/000001.jpg`` ..., ``list_attr_celeba.txt``,
            ``identity_CelebA.txt`` and ``list_eval_partition.txt``. It appears only when all is written.
        identities (int): Number of people.
        images (int): Pictures of each.
        seed (int): Seed of everything that is drawn.
        jobs (int, optional): Number of processes; by default all cores, or 1 for a small set. With 1 none is started.
        label_noise (float): Share of the training part's labels that are turned over, each for itself. The pictures,
            and the labels of the other parts, are those without.

    Raises:
        DataError: If ``out_dir`` is a file or not empty, or a number is too small.
    """
    if jobs is None:
        # A process takes seconds to import the package: fewer pictures than this are drawn sooner without.
        jobs = max(1, min(usable_cores(), identities * images // 400))
    numbers = [('identities', identities, 1), ('images', images, 1), ('jobs', jobs, 1), ('seed', seed, 0)]
    for name, value, least in numbers:
        if value < least:
            raise DataError(f'{name} is {value}: give a number of at least {least}')
    if not 0 <= label_noise <= 1:
        raise DataError(f'label_noise is {label_noise}: give a share from 0 to 1')
    out_dir = Path(out_dir).resolve()
    if out_dir.exists() and not out_dir.is_dir():
        raise DataError(f'{out_dir} is a file: give a new or an empty folder')
    if out_dir.is_dir() and any(out_dir.iterdir()):
        count = sum(1 for _ in out_dir.iterdir())
        raise DataError(f'{out_dir} is not empty ({count} entries): remove it or give another folder')
    # As in CelebA, the pictures of a person are spread over the file numbers.
    numbers = 1 + np.random.default_rng([seed, 3]).permutation(identities * images).reshape(identities, images)
    partial = out_dir.with_name(f'.{out_dir.name}.{os.getpid()}.partial')
    (partial / 'img_align_celeba').mkdir(parents=True)
    try:
        _write_tables(partial, numbers, seed, label_noise)
        _write_pictures(partial / 'img_align_celeba', numbers, seed, min(jobs, identities))
        if out_dir.is_dir():
            out_dir.rmdir()
        partial.rename(out_dir)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_tables(folder, numbers, seed, label_noise):
    identities, images = numbers.shape
    labels = sample_labels(identities, images, seed)
    order = np.argsort(numbers, axis=None)
    part = np.zeros(identities, int)
    if identities >= 3:
        validation, test = max(1, round(0.1 * identities)), max(1, round(0.2 * identities))
        shuffled = np.random.default_rng([seed, 4]).permutation(identities)
        part[shuffled[:validation]], part[shuffled[validation : validation + test]] = 1, 2
    labels[part == 0] ^= np.random.default_rng([seed, 5]).random(labels[part == 0].shape) < label_noise
    labels = labels.reshape(-1, len(ATTRIBUTES))
    rows = [(f'{number:06d}.jpg', labels[i], i // images) for number, i in enumerate(order, 1)]
    lines = dict(
        list_attr_celeba=[str(len(rows)), ' '.join(ATTRIBUTES) + ' ']
        + [f'{file} ' + ' '.join(' 1' if value else '-1' for value in values) for file, values, _ in rows],
        identity_CelebA=[f'{file} {identity + 1}' for file, _, identity in rows],
        list_eval_partition=[f'{file} {part[identity]}' for file, _, identity in rows],
    )
    for name, text in lines.items():
        (folder / f'{name}.txt').write_text('\n'.join(text) + '\n')


def _write_pictures(folder, numbers, seed, jobs):
    from rich.progress import track

    tasks = [(folder, seed, identity, row) for identity, row in enumerate(numbers.tolist())]
    if jobs == 1:
        for task in track(tasks, 'Drawing faces'):
            _write_person(task)
        return
    # A forked child could inherit a lock that a thread of cv2 or torch holds.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context('spawn'), cv2.setNumThreads, (1,)) as pool:
        for _ in track(pool.map(_write_person, tasks), 'Drawing faces', total=len(tasks)):
            pass


def _write_person(task):
    folder, seed, identity, numbers = task
    traits, persistent = sample_identity(seed, identity)
    for image, number in enumerate(numbers):
        rng = _image_rng(seed, identity, image)
        picture = draw_face(traits, sample_image(traits, persistent, rng), rng)
        _, data = cv2.imencode('.jpg', picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
        (folder / f'{number:06d}.jpg').write_bytes(data.tobytes())
