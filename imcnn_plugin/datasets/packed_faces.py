from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Union

import numpy as np
import torch
from mmcv.transforms import CenterCrop, LoadImageFromFile, Resize
from mmengine.dataset import force_full_init
from mmengine.registry import FUNCTIONS
from mmpretrain.datasets import PackInputs
from mmpretrain.registry import DATASETS
from mmpretrain.structures import DataSample

from ..errors import ConfigError
from ..models import to_device
from .celeba import CelebAIdentity
from .face_dataset import FaceDataset, FaceRecords
from .lfwa import LFWA
from .load_face_from_file import LoadFaceFromFile
from .pack_format import HEADER, IMAGES, Pack, open_pack


class _PackedBatch(dict):
    """A batch that needs no collating."""

    def __missing__(self, key):
        # Other collate functions of mmengine access the first image of a batch.
        if key == 0:
            raise ConfigError(
                "PackedFaces gives whole batches: set collate_fn=dict(type='packed_collate') in the data loader, or "
                'batched=False in the dataset'
            )
        raise KeyError(key)


@FUNCTIONS.register_module()
def packed_collate(batch: _PackedBatch) -> _PackedBatch:
    """Returns the output of :class:`PackedFaces` unchanged, since it is already a batch.

    Raises:
        ConfigError: The input is a list of single images.
    """
    if not isinstance(batch, _PackedBatch):
        raise ConfigError(
            'packed_collate is for PackedFaces only, but got single images, as a dataset wrapper gives them: set '
            "collate_fn=dict(type='default_collate') in the data loader"
        )
    return batch


class _PackedImages:
    """Images ``(N, H, W, 3)``, uint8, in a memory map or on a device.

    Copies share the images; when it is sent to another process, that process opens the file again.
    """

    def __init__(self, path: Path, device: Optional[str] = None, rows: Optional[np.ndarray] = None):
        """Opens the file or, with a device, loads its ``rows`` ``(N, )``."""
        self.path, self.device, self.rows = path, device, rows
        self.images = np.asarray(np.load(path, mmap_mode='r'))
        if device is not None:
            mapped, step = self.images, 1024
            self.images = torch.empty((len(rows), *mapped.shape[1:]), dtype=torch.uint8, device=device)
            for start in range(0, len(rows), step):
                piece = np.take(mapped, rows[start : start + step], axis=0)
                self.images[start : start + step] = torch.from_numpy(piece).to(device)

    def take(self, rows: Union[np.ndarray, torch.Tensor]) -> torch.Tensor:
        """A batch ``(n, 3, H, W)`` in channels_last memory format."""
        if self.device is None:
            batch = torch.from_numpy(np.take(self.images, rows, axis=0))
        else:
            batch = self.images.index_select(0, to_device(torch.as_tensor(rows), self.device))
        return batch.permute(0, 3, 1, 2)

    def __deepcopy__(self, memo: dict) -> '_PackedImages':
        return self

    def __reduce__(self) -> tuple:
        return _PackedImages, (self.path, self.device, self.rows)


@dataclass(eq=False, repr=False)
class _PackedRecords(FaceRecords):
    """The records of images in a pack."""

    rows: np.ndarray  # (N, ) of the images


class PackedDataset(FaceDataset):
    """Base class of datasets that read batches from a pack made by ``tools/data/pack.py``.

    With ``collate_fn=dict(type='packed_collate')``, a data loader yields batches of ``inputs``, uint8 BGR
    ``(n, 3, H, W)``, and ``data_samples``, one ``DataSample`` with ``gt_score`` ``(n, L)``, ``gt_identity`` ``(n, )``
    and ``identity`` ``(n, )`` of the whole batch. ``dataset[i]`` is one image as returned by ``PackInputs``, whose
    ``img_path`` is the name in the dataset's lists.

    Args:
        data_root: The pack.
        batched: If False, returns single images, for other collate functions and models that need lists of images.
        device: Loads the split's images onto this device, 'cpu' or 'cuda', and gathers batches there. 'cuda' requires
            a data loader with ``num_workers=0``, and no memory is pinned. None reads them from the memory map.
        **kwargs: Options of the dataset that reads files, also by position, except ``data_prefix``. The optional
            ``pipeline`` is not run, but must load, crop and resize images as they were when the pack was made.

    ``metainfo`` is that of the dataset that reads files, plus ``image_size`` (height and width) and, if images were
    center-cropped first, ``image_cut`` (width and height of the crop), so that checkpoints say how to prepare other
    images. Images that the pack skipped (``--skip-bad``) do not change the splits and identities.

    Raises:
        DataError: The pack cannot be read, or splits share an identity.
        ConfigError: The pack is of another dataset, or does not match the pipeline, protocol or split.
    """

    PACKED: str

    def __init__(self, data_root: str, *args, batched: bool = True, device: Optional[str] = None, **kwargs):
        if not batched:
            # Makes torch's data loader fetch single images.
            self.__getitems__ = None
        self.device = device
        self.images: Optional[_PackedImages] = None
        super().__init__(data_root, *args, **kwargs)

    def full_init(self) -> None:
        """Opens the pack and, with a ``device``, loads the images onto it."""
        if self._fully_initialized:
            return
        super().full_init()
        if self.device is not None:
            self.images = _PackedImages(self.images.path, self.device, self.data_list.rows)
            self.data_list.rows = np.arange(len(self.data_list))

    def load_data_list(self) -> FaceRecords:
        """Opens the pack and selects the split's images."""
        pack = open_pack(self.data_root)
        if (held := pack.header['dataset']) != self.PACKED:
            fitting = next((kind.__name__ for kind in (PackedFaces, PackedLFWA) if kind.PACKED == held), 'another one')
            raise ConfigError(f'{pack.path} holds {held}, not {self.PACKED}: set the type of the dataset to {fitting}')
        self._check_pipeline(pack)
        self.images = _PackedImages(pack.path / IMAGES)
        self._metainfo.update(image_size=tuple(pack.header['size']))
        if pack.header['cut']:
            self._metainfo.update(image_cut=tuple(pack.header['cut']))
        annotations, checksum = pack.annotations, pack.header['annotations_checksum']
        rows, gt_identity = self._select(annotations, str(pack.path), checksum, pack.present)
        return _PackedRecords(
            folder='',
            names=annotations.names[rows],
            gt_score=self._select_attributes(annotations.labels[rows]),
            gt_identity=gt_identity.astype(np.int64),
            identity=annotations.identity[rows].astype(np.int64),
            rows=rows,
        )

    def _check_pipeline(self, pack: Pack) -> None:
        """Raises ConfigError if the pipeline would produce different images."""
        height, width = pack.header['size']
        packed = {key: pack.header['resizing'].get(key) for key in ('interpolation', 'backend')}
        resizing = dict(scale=(width, height), keep_ratio=False, **packed)
        decoding = dict(imdecode_backend=pack.header['decoding'].get('backend'), color_type='color', to_float32=False)
        known = {Resize: resizing, LoadImageFromFile: decoding, LoadFaceFromFile: decoding}
        if pack.header['cut']:
            known[CenterCrop] = dict(crop_size=tuple(pack.header['cut']))
            if self.pipeline.transforms and not any(isinstance(step, CenterCrop) for step in self.pipeline.transforms):
                raise ConfigError(
                    f'{pack.path / HEADER}: the middle of {pack.header["cut"]} pixels was packed, which the pipeline '
                    'does not cut out: correct or remove the pipeline'
                )
        for step in self.pipeline.transforms:
            if isinstance(step, PackInputs):
                continue
            expected = known.get(type(step))
            if expected is None:
                raise ConfigError(
                    f'PackedFaces reads images that are already resized and runs no {type(step).__name__}: remove it '
                    'from the pipeline; FacePreprocessor crops and flips'
                )
            for key, value in expected.items():
                if getattr(step, key) != value:
                    raise ConfigError(
                        f'{pack.path / HEADER}: the images were packed with {key} {value!r}, but the pipeline has '
                        f'{getattr(step, key)!r}: pack them again (tools/data/pack.py --size), or correct the pipeline'
                    )

    @force_full_init
    def __getitems__(self, indices: Sequence[int]) -> _PackedBatch:
        """Returns a batch; torch's data loader calls this instead of fetching single images."""
        index = np.asarray(indices)
        records = self.data_list
        numbers = [field[index] for field in (records.rows, records.gt_identity, records.identity)]
        gt_score = records.gt_score[index]
        if self.device is None:
            rows, gt_score = numbers[0], torch.from_numpy(gt_score)
            gt_identity, identity = map(torch.from_numpy, numbers[1:])
        else:
            # One table, so that each batch needs only one copy to the device.
            table = to_device(torch.from_numpy(np.column_stack([*numbers, gt_score])), self.device)
            rows, gt_identity, identity = table[:, :3].unbind(1)
            gt_score = table[:, 3:]
        sample = DataSample(gt_score=gt_score.float(), gt_identity=gt_identity, identity=identity)
        return _PackedBatch(inputs=self.images.take(rows), data_samples=sample)

    def prepare_data(self, idx: int) -> dict:
        """Returns one image as ``PackInputs`` does."""
        [image] = self.images.take(self.data_list.rows[[idx]]).permute(0, 2, 3, 1).cpu().numpy()
        record = dict(self.get_data_info(idx), img=image, img_shape=image.shape[:2])
        return PackInputs(algorithm_keys=('gt_identity', 'identity'))(record)

    def extra_repr(self) -> List[str]:
        """Lines for ``repr``."""
        return [*super().extra_repr(), f'Images on: \t{self.device or "disk"}']


@DATASETS.register_module()
class PackedFaces(PackedDataset, CelebAIdentity):
    """CelebA from a pack: :class:`PackedDataset` with the options of :class:`CelebAIdentity`."""

    PACKED = 'CelebA'


@DATASETS.register_module()
class PackedLFWA(PackedDataset, LFWA):
    """LFWA from a pack: :class:`PackedDataset` with the options of :class:`LFWA`."""

    PACKED = 'LFWA'
