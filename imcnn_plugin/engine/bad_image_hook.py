from pathlib import Path
from typing import Dict, Iterator, Optional

from mmengine.dataset import Compose
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.datasets import PackInputs
from mmpretrain.registry import HOOKS
from torch.utils.data import Dataset

from ..datasets.face_file import UnreadableImage, read_image
from ..datasets.load_face_from_file import NO_PIXELS, LoadFaceFromFile
from ..datasets.packed_faces import PackedFaces
from ..errors import ConfigError
from ..files import write_text

LIST = 'bad_images.txt'
MEANING = dict(
    train='gave nothing to the losses of epoch {}',
    val='do not count in the evaluation after epoch {}',
    test='do not count in this test',
)


@HOOKS.register_module()
class BadImageHook(Hook):
    """Says which images ``LoadFaceFromFile(on_bad_image='skip')`` left out, of all processes and workers.

    After each epoch and evaluation a line of the log counts them, and ``bad_images.txt`` in the work folder lists
    them, a path and the reason a line. What the file has of earlier runs stays in it while it still cannot be read.
    Where no pipeline skips, the hook does nothing.

    Raises:
        ConfigError: A pipeline skips images, but its ``PackInputs`` leaves out by what the hook knows them.
    """

    def __init__(self):
        self.skips: Dict[str, bool] = {}
        self.found: Dict[str, Dict[str, str]] = {}

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        self.found[mode] = {}
        self.skips[mode] = any(skips(pipeline) for pipeline in pipelines(part(runner, mode)))

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
                self.found[mode][sample.img_path] = why_unreadable(sample.img_path) or 'unreadable for a while'
                # A run that is stopped within an epoch has them in its file.
                if is_main_process():
                    write_list(Path(runner.work_dir, LIST), self.found[mode])

    def _after_epoch(self, runner: Runner, mode: str = 'train') -> None:
        if not self.skips[mode]:
            return
        found = {path: reason for process in all_gather_object(self.found[mode]) for path, reason in process.items()}
        if found and is_main_process():
            path = Path(runner.work_dir, LIST)
            write_list(path, found)
            # mmengine's logger drops a warning that it had before, so each says which epoch it is.
            meaning = MEANING[mode].format(runner.epoch + (mode == 'train'))
            runner.logger.warning(
                f'{len(found)} of the {len(part(runner, mode))} images of the {mode} part cannot be read and '
                f'{meaning}: {path} lists them.'
            )


def part(runner: Runner, mode: str) -> Dataset:
    return getattr(runner, f'{mode}_dataloader').dataset


def pipelines(dataset: Dataset) -> Iterator[Compose]:
    """The pipelines that a data set runs, or those that it wraps; a pack has its images without one."""
    if hasattr(dataset, 'pipeline') and not isinstance(dataset, PackedFaces):
        yield dataset.pipeline
    for inner in (getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())):
        if inner is not None:
            yield from pipelines(inner)


def skips(pipeline: Compose) -> bool:
    """Whether a pipeline skips images; refuses one that would do so unseen."""
    if not any(isinstance(step, LoadFaceFromFile) and step.on_bad_image == 'skip' for step in pipeline.transforms):
        return False
    for step in pipeline.transforms:
        if isinstance(step, PackInputs) and not {'img_path', 'ori_shape'} <= set(step.meta_keys):
            raise ConfigError("on_bad_image='skip' needs img_path and ori_shape in meta_keys of PackInputs: add them")
    return True


def write_list(path: Path, found: Dict[str, str]) -> None:
    """Writes paths and reasons, and keeps what is there of other images that still cannot be read."""
    listed = dict(found)
    for line in path.read_text(encoding='utf-8').splitlines() if path.is_file() else ():
        name = line.split('\t')[0]
        if name not in listed and (reason := why_unreadable(name)):
            listed[name] = reason
    write_text(path, ''.join(f'{name}\t{listed[name]}\n' for name in sorted(listed)))


def why_unreadable(path: str) -> Optional[str]:
    try:
        read_image(path)
    except UnreadableImage as error:
        return str(error)
    return None
