"""Drawn faces in any number, as files and packed."""

import shutil
from pathlib import Path

from imcnn_plugin.synthetic.write_faces import write_faces

# Drawing one takes longer than reading it a hundred times: beyond these the same pictures come again.
MAX_DRAWN = 64
IMAGES_OF_ONE = 4


def write_many_faces(folder: Path, images: int, jobs: int = None) -> None:
    """Writes faces in CelebA's layout, all in the training part, each in a file of its own.

    Args:
        folder: A new folder.
        images: Their number.
        jobs: Processes that draw; None lets :func:`write_faces` choose.
    """
    identities = -(-min(images, MAX_DRAWN) // IMAGES_OF_ONE)
    drawn = folder / 'drawn'
    write_faces(drawn, identities=identities, images=IMAGES_OF_ONE, seed=0, jobs=jobs)
    attributes = (drawn / 'list_attr_celeba.txt').read_text().splitlines()
    people = (drawn / 'identity_CelebA.txt').read_text().splitlines()
    (folder / 'img_align_celeba').mkdir()
    lists = dict(list_attr_celeba=[str(images), attributes[1]], identity_CelebA=[], list_eval_partition=[])
    for index in range(images):
        name, source = f'{index + 1:06d}.jpg', index % len(people)
        old, labels = attributes[source + 2].split(maxsplit=1)
        shutil.copyfile(drawn / 'img_align_celeba' / old, folder / 'img_align_celeba' / name)
        lists['list_attr_celeba'].append(f'{name} {labels}')
        lists['identity_CelebA'].append(f'{name} {people[source].split()[1]}')
        lists['list_eval_partition'].append(f'{name} 0')
    for name, lines in lists.items():
        (folder / f'{name}.txt').write_text('\n'.join(lines) + '\n')
    shutil.rmtree(drawn)
