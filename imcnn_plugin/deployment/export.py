"""A model as one ONNX file that takes images and gives named labels, checked against PyTorch."""

import json
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.datasets import BaseDataset
from mmpretrain.models import ImageClassifier
from torch import nn

from .. import __version__
from ..apis.fused_model import AttributePredictor
from ..apis.photos import after_reading
from ..checkpoints.load_model import load_trained
from ..checkpoints.read_checkpoint import read_checkpoint
from ..datasets import CelebAIdentity
from ..engine.config import data_config, open_part
from ..errors import ConfigError, IMCNNError
from ..files import replacing
from ..synthetic.write_faces import write_faces

# By how much a probability may differ between ONNX Runtime and PyTorch.
TOLERANCE = 1e-4
BATCH_SIZES = (1, 32)
# The key of the file's metadata.
METADATA = 'imcnn_plugin'


@dataclass(frozen=True)
class Agreement:
    """Of ONNX Runtime and PyTorch on the same images."""

    differences: Dict[int, float]  # by batch size, the largest of a probability
    labels: int  # that were compared
    same_labels: int


class ImagesToLabels(nn.Module):
    """uint8 RGB images ``(N, H, W, 3)`` to probabilities ``(N, L)`` and labels ``(N, L)``, booleans."""

    def __init__(self, model: ImageClassifier):
        super().__init__()
        self.predictor = AttributePredictor(model)
        # It is trained on what OpenCV reads, BGR; what it got turned and now is RGB is left, and the other way round.
        preprocessor = self.predictor.data_preprocessor
        preprocessor.to_rgb = not preprocessor.to_rgb

    def forward(self, images: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        probabilities = self.predictor(images.permute(0, 3, 1, 2))
        return probabilities, probabilities >= self.predictor.head.thresholds


def export_onnx(
    path: Union[str, Path], out: Union[str, Path], data_root: Optional[str] = None, num_images: int = 32
) -> Agreement:
    """Writes the ONNX file of a checkpoint, if ONNX Runtime gives what PyTorch does.

    Args:
        path: The checkpoint's file; config, weights and calibration are taken from it.
        out: Where the ONNX file goes.
        data_root: The data set's folder, whose test part the file is checked on; drawn faces without it.
        num_images: Number of images for that.

    Returns:
        How well the two agree.

    Raises:
        ConfigError: The packages that it needs are missing, or the images have no fixed size.
        DataError: Checkpoint or data cannot be read.
        IMCNNError: A probability differs by more than 1e-4; there is no file then.
    """
    checkpoint = read_checkpoint(path)
    model = load_trained(path)
    cfg = model._config
    height, width = input_size(cfg)
    exported = ImagesToLabels(model).eval()
    about = describe(checkpoint, cfg, exported.predictor.head, (height, width))
    program = to_onnx(exported, height, width, about)
    images = check_images(cfg, data_root, num_images)
    with replacing(out) as temporary:
        program.save(temporary)
        try:
            found = compare(model, temporary, images)
            if max(found.differences.values()) > TOLERANCE:
                raise IMCNNError(
                    f'{out} is not written: in ONNX Runtime a probability differs from PyTorch by '
                    f'{max(found.differences.values()):.1e}, more than {TOLERANCE:.0e}'
                )
        except Exception:
            temporary.unlink()
            raise
    return found


def input_size(cfg: Config) -> Tuple[int, int]:
    """Height and width of the images that a config's test pipeline hands to the model.

    Raises:
        ConfigError: There is none, or it gives images of various sizes.
    """
    steps = (cfg.get('test_dataloader') or {}).get('dataset', {}).get('pipeline')
    if not steps:
        raise ConfigError('the config has no test_dataloader.dataset.pipeline, which says how images are resized')
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
        pipeline = after_reading(steps)
    sizes = {
        tuple(pipeline(dict(img=np.zeros((*size, 3), np.uint8), img_shape=size, ori_shape=size))['inputs'].shape[1:])
        for size in ((480, 640), (640, 480))
    }
    if len(sizes) > 1:
        raise ConfigError('the test pipeline gives images of various sizes: resize or crop them to one')
    return sizes.pop()


def describe(checkpoint: dict, cfg: Config, head: nn.Module, size: Tuple[int, int]) -> dict:
    """What a user of the file must know, as a dict that JSON can hold."""
    settings = cfg.model.head.get('attr_head', cfg.model.head)
    return dict(
        classes=head.classes,
        groups={group['name']: list(group['labels']) for group in settings.groups},
        thresholds=[round(value, 6) for value in head.thresholds.tolist()],
        temperature=[round(value, 6) for value in head.temperature.tolist()],
        calibration=checkpoint['meta'].get('calibration'),
        input='uint8 (N, H, W, 3)',
        input_size=size,
        channel_order='RGB',
        version=__version__,
    )


def to_onnx(exported: ImagesToLabels, height: int, width: int, about: dict) -> 'torch.onnx.ONNXProgram':
    """The ONNX program, with nothing in it of the machine that it is made on.

    Raises:
        ConfigError: The packages that it needs are missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"{error.name} is missing: pip install 'imcnn_plugin[export]'") from None
    with warnings.catch_warnings():
        # torch warns of its own use of what it is about to change.
        warnings.simplefilter('ignore', FutureWarning)
        program = torch.onnx.export(
            exported,
            # With one image, the exporter would take the batch size for a constant.
            (torch.zeros(2, height, width, 3, dtype=torch.uint8),),
            dynamo=True,
            verbose=False,
            input_names=['images'],
            output_names=['probabilities', 'labels'],
            dynamic_shapes=dict(images={0: torch.export.Dim('batch')}),
        )
    graph = program.model.graph
    for node in graph.all_nodes():
        # The exporter notes the source lines of each operator, with their paths.
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*graph.inputs, *graph.initializers.values()):
        value.metadata_props.clear()
    graph.metadata_props.clear()
    program.model.metadata_props.clear()
    program.model.metadata_props[METADATA] = json.dumps(about)
    return program


def check_images(cfg: Config, data_root: Optional[str], num_images: int) -> torch.Tensor:
    """Images ``(N, 3, H, W)`` as the model takes them, BGR, of the test part or drawn."""

    def take(dataset: BaseDataset) -> torch.Tensor:
        rows = np.linspace(0, len(dataset) - 1, min(num_images, len(dataset))).astype(int)
        return torch.stack([dataset[int(row)]['inputs'] for row in rows])

    if data_root:
        return take(open_part(data_config(cfg, data_root)))
    with tempfile.TemporaryDirectory() as folder:
        # Of these identities, seven in ten are of the training part.
        write_faces(folder, identities=-(-num_images // 2), images=4)
        pipeline = cfg.test_dataloader.dataset.pipeline
        return take(CelebAIdentity(folder, split='train', pipeline=pipeline))


@torch.inference_mode()
def compare(model: ImageClassifier, path: Path, images: torch.Tensor) -> Agreement:
    """Runs an ONNX file and the model on the same images ``(N, 3, H, W)``, BGR, one by one and in batches."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    differences, labels, same = {}, 0, 0
    for size in BATCH_SIZES:
        differences[size] = 0.0
        for batch in images.split(size):
            rgb = batch.flip(1).permute(0, 2, 3, 1).contiguous().numpy()
            probabilities, predicted = session.run(['probabilities', 'labels'], dict(images=rgb))
            samples = model.test_step(dict(inputs=batch))
            expected = torch.stack([sample.pred_score for sample in samples]).numpy()
            # Comparisons with NaN are false: it would pass as small.
            apart = np.nan_to_num(np.abs(probabilities - expected), nan=np.inf)
            differences[size] = max(differences[size], float(apart.max()))
            labels += predicted.size
            same += int((predicted == (expected >= samples[0].thresholds.numpy())).sum())
    return Agreement(differences, labels, same)
