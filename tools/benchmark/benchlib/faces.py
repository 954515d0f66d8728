"""Benchmark data: drawn faces as files, random arrays, and a batch that is already on the device."""

import shutil
from pathlib import Path
from typing import Dict

import numpy as np
import torch
from mmpretrain.structures import DataSample

from imcnn_plugin.synthetic import write_faces

from .network import Network
from .report import the_device

# Drawing an image takes 100 times as long as reading it, so images repeat beyond this number.
MAX_DRAWN = 64
IMAGES_PER_IDENTITY = 4


def write_many_faces(folder: Path, images: int) -> None:
    """Writes drawn faces in CelebA's layout, all in the training split, each in its own file.

    Args:
        folder: A new folder.
        images: Number of images.
    """
    identities = -(-min(images, MAX_DRAWN) // IMAGES_PER_IDENTITY)
    drawn = folder / 'drawn'
    write_faces(drawn, identities=identities, images=IMAGES_PER_IDENTITY, seed=0)
    attributes = (drawn / 'list_attr_celeba.txt').read_text().splitlines()
    identity_lines = (drawn / 'identity_CelebA.txt').read_text().splitlines()
    (folder / 'img_align_celeba').mkdir()
    lists = dict(list_attr_celeba=[str(images), attributes[1]], identity_CelebA=[], list_eval_partition=[])
    for index in range(images):
        name, source = f'{index + 1:06d}.jpg', index % len(identity_lines)
        old, labels = attributes[source + 2].split(maxsplit=1)
        shutil.copyfile(drawn / 'img_align_celeba' / old, folder / 'img_align_celeba' / name)
        lists['list_attr_celeba'].append(f'{name} {labels}')
        lists['identity_CelebA'].append(f'{name} {identity_lines[source].split()[1]}')
        lists['list_eval_partition'].append(f'{name} 0')
    for name, lines in lists.items():
        (folder / f'{name}.txt').write_text('\n'.join(lines) + '\n')
    shutil.rmtree(drawn)


def random_faces(images: int, size: int, num_identities: int) -> Dict[str, np.ndarray]:
    """Random ``images`` ``(N, H, W, 3)``, ``labels`` ``(N, 40)`` and ``identity`` ``(N, )``, as in packed faces."""
    draw = np.random.default_rng(0)
    return dict(
        images=draw.integers(0, 256, (images, size, size, 3), np.uint8),
        labels=draw.integers(0, 2, (images, 40), np.int8),
        identity=draw.integers(0, num_identities, images),
    )


def synthetic_batch(network: Network, batch_size: int) -> dict:
    """A batch of :func:`random_faces` as returned by the loader of packed faces, already on the device."""
    faces = {
        name: torch.from_numpy(array).to(the_device())
        for name, array in random_faces(batch_size, network.size, network.num_identities).items()
    }
    samples = DataSample()
    samples.gt_score, samples.gt_identity = faces['labels'].float(), faces['identity']
    return dict(inputs=faces['images'].permute(0, 3, 1, 2), data_samples=samples)
