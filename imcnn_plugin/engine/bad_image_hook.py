from pathlib import Path
from typing import Dict, Iterator, Optional

from mmengine.dataset import Compose
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.datasets import PackInputs
from mmpretrain.registry import HOOKS
from torch.utils.data import Dataset

from ..datasets.image_file import UnreadableImage, read_image
from ..datasets.load_face_from_file import NO_PIXELS, LoadFaceFromFile
from ..datasets.packed_faces import PackedDataset
from ..datasets.split_identity import nested_datasets
from ..errors import ConfigError
from ..files import write_text

_LIST = 'bad_images.txt'
_EFFECT = dict(
    train='did not contribute to the losses of epoch {}',
    val='do not count in the evaluation after epoch {}',
    test='do not count in this test',
)


@HOOKS.register_module()
class BadImageHook(Hook):
    """Reports the images that ``LoadFaceFromFile(on_bad_image='skip')`` skipped in all processes and workers.

    After each epoch and evaluation, a log line gives their number, and ``bad_images.txt`` in the work directory lists
    path and reason, one image per line. Entries of earlier runs stay as long as the image cannot be read. If no
    pipeline skips images, the hook does nothing.

    Raises:
        ConfigError: A pipeline skips images, but its ``PackInputs`` omits the keys that identify them.
    """

    def __init__(self):
        self.skips: Dict[str, bool] = {}
        self.found: Dict[str, Dict[str, str]] = {}

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        self.found[mode] = {}
        self.skips[mode] = any(_skips(pipeline) for pipeline in _pipelines(_split_of(runner, mode)))

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Optional[dict] = None,
        outputs: Optional[dict] = None,
        mode: str = 'train',
    ) -> None:
        if not self.skips[mode]:
            return
        for sample in data_batch['data_samples']:
            if sample.ori_shape == NO_PIXELS and sample.img_path not in self.found[mode]:
                self.found[mode][sample.img_path] = _why_unreadable(sample.img_path) or 'temporarily unreadable'
                # Write the list now, in case the run stops within the epoch.
                if is_main_process():
                    _write_list(Path(runner.work_dir, _LIST), self.found[mode])

    def _after_epoch(self, runner: Runner, mode: str = 'train') -> None:
        if not self.skips[mode]:
            return
        found = {path: reason for process in all_gather_object(self.found[mode]) for path, reason in process.items()}
        if found and is_main_process():
            path = Path(runner.work_dir, _LIST)
            _write_list(path, found)
            # mmengine's logger drops repeated warnings, so each one names its epoch.
            effect = _EFFECT[mode].format(runner.epoch + (mode == 'train'))
            runner.logger.warning(
                f'{len(found)} of the {len(_split_of(runner, mode))} images of the {mode} split cannot be read and '
                f'{effect}: {path} lists them.'
            )


def _split_of(runner: Runner, mode: str) -> Dataset:
    return getattr(runner, f'{mode}_dataloader').dataset


def _pipelines(dataset: Dataset) -> Iterator[Compose]:
    """The pipelines of a dataset and of the datasets that it wraps; a pack runs none."""
    for part in nested_datasets(dataset):
        if hasattr(part, 'pipeline') and not isinstance(part, PackedDataset):
            yield part.pipeline


def _skips(pipeline: Compose) -> bool:
    """Whether a pipeline skips images. Raises ConfigError if skipped images could not be identified."""
    if not any(isinstance(step, LoadFaceFromFile) and step.on_bad_image == 'skip' for step in pipeline.transforms):
        return False
    for step in pipeline.transforms:
        if isinstance(step, PackInputs) and not {'img_path', 'ori_shape'} <= set(step.meta_keys):
            raise ConfigError("on_bad_image='skip' needs img_path and ori_shape in meta_keys of PackInputs: add them")
    return True


def _write_list(path: Path, found: Dict[str, str]) -> None:
    """Writes paths and reasons, and keeps entries of other images that still cannot be read."""
    listed = dict(found)
    for line in path.read_text(encoding='utf-8').splitlines() if path.is_file() else ():
        name = line.split('\t')[0]
        if name not in listed and (reason := _why_unreadable(name)):
            listed[name] = reason
    write_text(path, ''.join(f'{name}\t{listed[name]}\n' for name in sorted(listed)))


def _why_unreadable(path: str) -> Optional[str]:
    try:
        read_image(path)
    except UnreadableImage as error:
        return str(error)
    return None
