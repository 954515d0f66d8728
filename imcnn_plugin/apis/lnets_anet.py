"""The stages of LNets+ANet (Liu et al. 2015, arXiv 1411.7766), each an ordinary run in its own folder."""

import json
from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

import numpy as np
from mmengine.config import Config
from mmengine.device import get_device

from ..attributes import ATTRIBUTES
from ..checkpoints import find_latest, load_model
from ..datasets import read_image, read_windows, write_windows
from ..engine import EVALUATION, build_runner, build_split, load_config, train_and_test
from ..errors import ConfigError, DataError
from ..evaluation import REPORT_FILE, AttributeReport
from ..files import lock, write_text
from ..progress import track
from ..visualization import plot_response_windows, save_figure
from .face_detection import FaceDetector
from .inferencer import FaceAttributeInferencer
from .predict_split import open_loader
from .response_windows import Response, fit_fixed, fit_rule, place_fixed, response_maps, window_overlap

_SPLITS = ('train', 'val', 'test')
_WINDOWS, _BOXES, _SUMMARY = 'windows.csv', 'boxes.csv', 'summary.json'
# Test photos of the figure.
_FIGURE, _DRAWN = 'windows.png', 6


class LNetsANet:
    """Trains and tests LNets+ANet. Finished stages are skipped, and an interrupted stage is resumed.

    Args:
        photos: Folder with CelebA's lists, and with the photos as taken in ``img_celeba``.
        faces: Pack of the aligned faces, for ANet.
        work_dir: Output folder, with a folder for each stage, ``summary.json`` and ``windows.png``.
        imcnn: Checkpoint of an IMCNN. LNets start from its trunk, and it is tested on the same photos after alignment
            by the face detector. Without it, LNets start from scratch.
        options: Values by dotted keys for the configs of all stages.

    Raises:
        ConfigError: ``work_dir`` was started with other arguments.
    """

    def __init__(
        self,
        photos: Union[str, Path],
        faces: Union[str, Path],
        work_dir: Union[str, Path],
        imcnn: Union[str, Path, None] = None,
        options: Optional[dict] = None,
    ):
        self.photos, self.faces, self.imcnn = (path and str(path) for path in (photos, faces, imcnn))
        self.work_dir, self.options = Path(work_dir), dict(options or {})
        self._check_settings()
        identities = f'epoch_{self._load("anet_id").train_cfg.max_epochs}.pth'
        self.stages = (
            (_BOXES, 'boxes of the face detector, to choose rules and to compare with', self._detect),
            (f'lnet_o/{_WINDOWS}', 'LNet-o on whole photos', lambda: self._train_lnet('lnet_o')),
            (f'lnet_s/{_WINDOWS}', 'LNet-s on heads and shoulders', lambda: self._train_lnet('lnet_s', 'lnet_o')),
            (f'anet_id/{identities}', 'ANet on identities of aligned faces', self._train_identities),
            (f'anet/{REPORT_FILE}', 'ANet on attributes of aligned faces', self._train_attributes),
            (f'anet_wild/{REPORT_FILE}', "ANet on LNet-s's windows", self._train_wild),
            (_SUMMARY, 'summary', self._summarize),
        )

    def _check_settings(self) -> None:
        path = self.work_dir / 'settings.json'
        settings = dict(photos=self.photos, faces=self.faces, imcnn=self.imcnn, options=self.options)
        settings = json.loads(json.dumps(settings, default=str))
        before = json.loads(path.read_text()) if path.is_file() else settings
        for key in settings:
            if before.get(key) != settings[key]:
                raise ConfigError(
                    f'{self.work_dir} was started with {key}={before.get(key)!r}, not {settings[key]!r}: give the '
                    'same, or another work directory'
                )
        write_text(path, json.dumps(settings, indent=2) + '\n')

    def run(self) -> dict:
        """Runs the remaining stages, and returns the summary.

        Raises:
            ConfigError: Another process uses the work directory.
            DataError: A file cannot be read or written.
            TrainingError: A loss is not finite.
        """
        with open(self.work_dir / 'lock', 'w') as file:
            lock(file, f'{self.work_dir} is in use by another process: wait, or give another')
            for number, (result, title, run_stage) in enumerate(self.stages, 1):
                complete = (self.work_dir / result).is_file()
                print(f'[{number}/{len(self.stages)}] {title}{": complete" if complete else ""}', flush=True)
                if not complete:
                    run_stage()
        return json.loads((self.work_dir / _SUMMARY).read_text())

    def _load(self, stage: str, windows: Optional[str] = None) -> Config:
        """The config of a stage, with windows of another one."""
        on_photos = stage in ('lnet_o', 'lnet_s', 'anet_wild')
        name = dict(anet_wild='anet_celeba_wild').get(stage, f'{stage}_celeba_{"wild" if on_photos else "mini"}')
        cfg = load_config(
            f'{name}.py', self.photos if on_photos else self.faces, str(self.work_dir / stage), self.options
        )
        for loader in (cfg.train_dataloader, cfg.test_dataloader):
            for step in loader.dataset.pipeline if windows else ():
                if step.type == 'CropToWindow':
                    step.windows = str(self.work_dir / windows / _WINDOWS)
        return cfg

    def _train(self, cfg: Config, load_from: Optional[str] = None) -> None:
        latest = find_latest(cfg.work_dir)
        cfg.resume, cfg.load_from = latest is not None, latest or load_from
        train_and_test(build_runner(cfg, strict=cfg.resume))

    def _train_lnet(self, stage: str, windows: Optional[str] = None) -> None:
        # LNet-s starts from LNet-o.
        self._train(self._load(stage, windows), find_latest(self.work_dir / windows) if windows else self.imcnn)
        boxes = read_windows(self.work_dir / _BOXES)
        responses = {split: self._responses(stage, windows, split) for split in _SPLITS}
        known = [response for response in responses['train'] if response.name in boxes]
        if not known:
            raise DataError(f'{self.photos}: the face detector finds no face in the photos of the training split')
        rule = fit_rule(known, np.array([boxes[response.name] for response in known]))
        write_text(self.work_dir / stage / 'rule.json', json.dumps(vars(rule), indent=2) + '\n')
        everything = [response for split in _SPLITS for response in responses[split]]
        names = [response.name for response in everything]
        write_windows(self.work_dir / stage / _WINDOWS, names, rule(everything))

    def _responses(
        self, stage: str, windows: Optional[str], split: str, number: Optional[int] = None
    ) -> List[Response]:
        """Of the first images of a split, or of all."""
        cfg = self._load(stage, windows)
        cfg.test_dataloader.dataset.update(split=split, indices=number)
        model = load_model(find_latest(cfg.work_dir), get_device()).model
        return response_maps(model, open_loader(cfg, 'test_dataloader'), f'Response maps of the {split} split')

    def _train_identities(self) -> None:
        cfg = self._load('anet_id')
        # SVMs are fitted once ANet has learned attributes, too.
        cfg.update(dict.fromkeys(EVALUATION))
        self._train(cfg)

    def _train_attributes(self) -> None:
        self._train(self._load('anet'), find_latest(self.work_dir / 'anet_id'))

    def _train_wild(self) -> None:
        self._train(self._load('anet_wild', 'lnet_s'), find_latest(self.work_dir / 'anet'))

    def _records(self, split: str) -> Tuple[List[str], List[str], np.ndarray]:
        """Paths, file names and labels ``(N, 40)`` of the photos of a split."""
        dataset = build_split(self._load('lnet_o'), split)
        paths = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
        return paths, [Path(path).name for path in paths], dataset.data_list.gt_score

    def _detect(self) -> None:
        """Writes the box of the largest face of each photo in which the detector finds one."""
        detector, names, boxes = FaceDetector(), [], []
        paths = [path for split in _SPLITS for path in self._records(split)[0]]
        for path in track(paths, 'Detecting faces'):
            if faces := detector(read_image(path)):
                names.append(Path(path).name)
                boxes.append(faces[0].box)
        write_windows(self.work_dir / _BOXES, names, np.array(boxes).reshape(-1, 4))

    def _summarize(self) -> None:
        paths, names, labels = self._records('test')
        boxes = read_windows(self.work_dir / _BOXES)
        windows = {stage: read_windows(self.work_dir / stage / _WINDOWS) for stage in ('lnet_o', 'lnet_s')}
        train_paths, train_names, train_labels = self._records('train')
        outer, train_outer = _outlines(paths), _outlines(train_paths)
        [known], [train_known] = (np.nonzero([name in boxes for name in split]) for split in (names, train_names))
        fixed = fit_fixed(train_outer[train_known], np.array([boxes[train_names[i]] for i in train_known]))
        found = dict(center=place_fixed(fixed, outer))
        found.update((stage, np.array([by_name[name] for name in names])) for stage, by_name in windows.items())
        truth = np.array([boxes[names[i]] for i in known])
        overlap = {stage: window_overlap(window[known], truth) for stage, window in found.items()}
        majority = train_labels.mean(0) > 0.5
        accuracy = dict(majority=100 * (majority == labels).mean())
        if self.imcnn:
            accuracy['imcnn_aligned'] = 100 * (_predict_aligned(self.imcnn, paths, majority) == labels).mean()
        reports = {stage: AttributeReport.load(self.work_dir / stage / REPORT_FILE) for stage in ('anet_wild', 'anet')}
        accuracy.update({stage: report.mean_accuracy for stage, report in reports.items()})
        self._draw(names, paths, found, boxes)
        summary = dict(
            test_photos=len(paths),
            photos_with_a_face=len(known),
            localized={stage: 100 * float((x >= 0.5).mean()) for stage, x in overlap.items()},
            mean_overlap={stage: float(x.mean()) for stage, x in overlap.items()},
            accuracy={name: float(value) for name, value in accuracy.items()},
        )
        write_text(self.work_dir / _SUMMARY, json.dumps(summary, indent=2) + '\n')

    def _draw(self, names: List[str], paths: List[str], found: Dict[str, np.ndarray], boxes: dict) -> None:
        """Draws photos, response maps and windows of the first photos."""
        responses = [
            self._responses(stage, windows, 'test', _DRAWN)
            for stage, windows in (('lnet_o', None), ('lnet_s', 'lnet_o'))
        ]
        photos = [read_image(path)[..., ::-1] for path in paths[:_DRAWN]]
        stages = [
            ('LNet-o', [(r.map, r.window) for r in responses[0]], found['lnet_o']),
            ('LNet-s', [(r.map, r.window) for r in responses[1]], found['lnet_s']),
        ]
        figure = plot_response_windows(photos, stages, [boxes.get(name) for name in names[:_DRAWN]])
        save_figure(figure, self.work_dir / _FIGURE)


def _outlines(paths: List[str]) -> np.ndarray:
    """Left, top, right and bottom ``(N, 4)`` of photos."""
    shapes = [read_image(path).shape for path in paths]
    return np.array([(0, 0, width, height) for height, width, _ in shapes], float)


def _predict_aligned(checkpoint: str, paths: List[str], otherwise: np.ndarray) -> np.ndarray:
    """Labels ``(N, 40)`` of the largest face that the detector finds, or ``otherwise`` ``(40, )`` without one."""
    inferencer = FaceAttributeInferencer(checkpoint, largest_only=True)
    labels = []
    for result in track(inferencer.stream(paths), 'Predicting aligned faces', len(paths)):
        faces = result['faces']
        labels.append([faces[0]['attributes'][name]['label'] for name in ATTRIBUTES] if faces else otherwise)
    return np.array(labels, bool)
