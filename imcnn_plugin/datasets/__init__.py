"""Datasets of faces with attributes and identities, and packs of their images."""

from .attribute_csv import AttributeCSV
from .celeba import CelebAIdentity
from .celeba_lists import (
    Annotations,
    AttributeList,
    NumberList,
    match_rows,
    read_annotations,
    read_attribute_list,
    read_identity_list,
    read_partition_list,
)
from .coco import LabelledPhoto, write_coco
from .face_dataset import FaceDataset, FaceRecords
from .file_signatures import HTML_PAGE, identify_foreign_file
from .image_file import (
    IMAGES_PER_PROCESS,
    IMAGES_PER_TASK,
    PNG_SIGNATURE,
    UnreadableImage,
    decode_image,
    find_corruption,
    read_image,
    scan_png,
)
from .image_folder import DATA_PREFIX, find_image_folder, find_images, list_files, missing_image_issues
from .issues import Issue, IssueKind, quote
from .lfwa import LFWA, LFWA_CUT, is_lfwa
from .load_face_from_file import NO_PIXELS, LoadFaceFromFile
from .pack_format import Pack, open_pack
from .pack_verification import verify_pack
from .packed_faces import PackedDataset, PackedFaces, PackedLFWA, packed_collate
from .packing import write_pack
from .resumable_sampler import ResumableSampler
from .split_identity import (
    check_resumable,
    check_unseen,
    identify_split,
    merge_splits,
    nested_datasets,
    read_split,
)
from .windows import CropToWindow, read_windows, write_windows

__all__ = [
    'Annotations', 'AttributeCSV', 'AttributeList', 'CelebAIdentity', 'CropToWindow', 'DATA_PREFIX', 'FaceDataset',
    'FaceRecords', 'HTML_PAGE', 'IMAGES_PER_PROCESS', 'IMAGES_PER_TASK', 'Issue', 'IssueKind', 'LFWA', 'LFWA_CUT',
    'LabelledPhoto', 'LoadFaceFromFile', 'NO_PIXELS', 'NumberList', 'PNG_SIGNATURE', 'Pack', 'PackedDataset',
    'PackedFaces', 'PackedLFWA', 'ResumableSampler', 'UnreadableImage', 'check_resumable', 'check_unseen',
    'decode_image', 'find_corruption', 'find_image_folder', 'find_images', 'identify_foreign_file',
    'identify_split', 'is_lfwa', 'list_files', 'match_rows', 'merge_splits', 'missing_image_issues',
    'nested_datasets', 'open_pack', 'packed_collate', 'quote', 'read_annotations', 'read_attribute_list',
    'read_identity_list', 'read_image', 'read_partition_list', 'read_split', 'read_windows', 'scan_png',
    'verify_pack', 'write_coco', 'write_pack', 'write_windows'
]  # fmt: skip
