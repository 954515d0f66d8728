"""Writes synthetic faces in CelebA's layout, with 40 attributes and identities, to test pipelines without CelebA."""

from pathlib import Path
from typing import Dict, Optional, Tuple, Union

import cv2
import numpy as np

from ..attributes import ATTRIBUTES
from ..errors import DataError
from ..files import new_folder
from ..parallel import default_jobs, map_in_processes
from ..progress import track
from .draw_face import _draw_face
from .sampling import _image_rng, _sample_identity, _sample_image, _sample_labels


def write_faces(
    out_dir: Union[str, Path],
    identities: int = 200,
    images: int = 20,
    seed: int = 0,
    jobs: Optional[int] = None,
    label_noise: float = 0.0,
) -> None:
    """Writes ``identities * images`` synthetic faces in CelebA's layout.

    About 70, 10 and 20 % of the identities are in the training, validation and test split. The same seed gives the
    same bytes for any ``jobs``.

    Args:
        out_dir: New or empty folder for ``img_align_celeba/000001.jpg`` ..., ``list_attr_celeba.txt``,
            ``identity_CelebA.txt`` and ``list_eval_partition.txt``. It is created when the dataset is complete.
        identities: Number of identities.
        images: Images per identity.
        seed: Seeds everything that is drawn.
        jobs: Number of processes; by default all cores, or 1 for a small dataset. With 1, no process is started.
        label_noise: Probability that a label of the training split is flipped; nothing else changes.

    Raises:
        DataError: ``out_dir`` is a file or is not empty, or a number is out of range.
    """
    if jobs is None:
        # Starting a process takes as long as drawing several hundred images.
        jobs = default_jobs(identities * images, 400)
    _check_numbers(dict(identities=identities, images=images, jobs=jobs), seed)
    if not 0 <= label_noise <= 1:
        raise DataError(f'label_noise is {label_noise}: it must be between 0 and 1')
    # As in CelebA, the images of an identity are scattered over the file numbers.
    numbers = 1 + np.random.default_rng([seed, 3]).permutation(identities * images).reshape(identities, images)
    with new_folder(out_dir) as partial:
        folder = partial / 'img_align_celeba'
        folder.mkdir()
        _write_lists(partial, numbers, seed, label_noise)
        tasks = [(folder, seed, identity, row) for identity, row in enumerate(numbers.tolist())]
        drawn = map_in_processes(_write_identity, tasks, min(jobs, identities))
        for _ in track(drawn, 'Drawing faces', total=identities):
            pass


def _write_lists(folder: Path, numbers: np.ndarray, seed: int, label_noise: float) -> None:
    identities, images = numbers.shape
    labels = _sample_labels(identities, images, seed)
    split = np.zeros(identities, int)
    if identities >= 3:
        validation, test = max(1, round(0.1 * identities)), max(1, round(0.2 * identities))
        shuffled = np.random.default_rng([seed, 4]).permutation(identities)
        split[shuffled[:validation]], split[shuffled[validation : validation + test]] = 1, 2
    labels[split == 0] ^= np.random.default_rng([seed, 5]).random(labels[split == 0].shape) < label_noise
    labels = labels.reshape(-1, len(ATTRIBUTES))
    # Other numbers than CelebA's 1 to 10,177 and those of other seeds: equal numbers mean the same person.
    first = (seed % 20_000 + 1) * 100_000 + 1
    rows = [(f'{row:06d}.jpg', labels[i], i // images) for row, i in enumerate(np.argsort(numbers, axis=None), 1)]
    lines = dict(
        list_attr_celeba=[str(len(rows)), ' '.join(ATTRIBUTES) + ' ']
        + [f'{file} ' + ' '.join(' 1' if value else '-1' for value in values) for file, values, _ in rows],
        identity_CelebA=[f'{file} {first + identity}' for file, _, identity in rows],
        list_eval_partition=[f'{file} {split[identity]}' for file, _, identity in rows],
    )
    for name, text in lines.items():
        (folder / f'{name}.txt').write_text('\n'.join(text) + '\n')


def _write_identity(task: Tuple[Path, int, int, list]) -> None:
    """Draws all images of one identity, given the folder, seed, identity and file numbers."""
    folder, seed, identity, numbers = task
    traits, stable = _sample_identity(seed, identity)
    for image, number in enumerate(numbers):
        rng = _image_rng(seed, identity, image)
        face = _draw_face(traits, _sample_image(traits, stable, rng), rng)
        _write_jpeg(folder / f'{number:06d}.jpg', face)


def _write_jpeg(path: Path, image: np.ndarray) -> None:
    """Writes an RGB image, uint8 ``(H, W, 3)``."""
    _, data = cv2.imencode('.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    path.write_bytes(data.tobytes())


def _check_numbers(counts: Dict[str, int], seed: int) -> None:
    """Raises DataError if a count is less than 1, with its name, or if the seed is negative."""
    for name, value, least in [*((name, value, 1) for name, value in counts.items()), ('seed', seed, 0)]:
        if value < least:
            raise DataError(f'{name} is {value}: it must be at least {least}')
