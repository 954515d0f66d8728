"""What would run on a GPU, without one: fake tensors have a device but no values."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from imcnn_plugin.apis import AttributePredictor, FaceAttributeInferencer, optimize_for_inference
from imcnn_plugin.datasets import CelebAIdentity, PackedFaces, packing
from imcnn_plugin.engine import NonBlockingOptimWrapper
from imcnn_plugin.evaluation import PerAttributeAccuracy

aten = torch.ops.aten
COPIES = (aten._to_copy.default, aten.copy_.default)
N = 6


class GPUCalls(TorchDispatchMode):
    """Counts copies to a GPU and what makes the CPU wait for one, and rejects operations on both."""

    def __init__(self):
        super().__init__()
        self.pinned, self.found = set(), Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if torch.is_inference_mode_enabled() and func.namespace == 'aten':
            # Then operations that consist of others come whole.
            with self:
                found = func.decompose(*args, **kwargs)
            if found is not NotImplemented:
                return found
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        on_gpu = any(tensor.device.type == 'cuda' for tensor in tensors)
        if func in COPIES:
            target = args[0].device if func is aten.copy_.default else kwargs.get('device') or args[0].device
            self.count_copy(target.type, tensors[-1], kwargs.get('non_blocking') or args[2:] == (True,))
        elif func is aten._local_scalar_dense.default:
            self.found['waits'] += on_gpu
            return 0
        elif func is aten.nonzero.default:
            self.found['waits'] += on_gpu
            return args[0].new_empty((0, args[0].dim()), dtype=torch.long)
        elif on_gpu:
            # A number on the CPU may be a tensor.
            assert all(tensor.device.type == 'cuda' or not tensor.dim() for tensor in tensors), f'{func} mixes devices'
        return func(*args, **kwargs)

    def count_copy(self, target, source, non_blocking):
        if target != source.device.type:
            self.found['to the GPU'] += target == 'cuda'
            self.found['waits'] += target == 'cpu' or not (non_blocking and id(source) in self.pinned)


@pytest.fixture
def gpu(monkeypatch):
    """A GPU's devices and waits, without values."""
    calls = GPUCalls()

    def pin(tensor, device=None):
        pinned = tensor.clone()
        kept.append(pinned)
        calls.pinned.add(id(pinned))
        return pinned

    kept = []
    monkeypatch.setattr(torch.Tensor, 'pin_memory', pin)
    monkeypatch.setattr(torch.Tensor, 'numpy', lambda tensor, force=False: np.zeros(tuple(tensor.shape)))
    with DefaultScope.overwrite_default_scope('mmpretrain'), FakeTensorMode(), calls:
        yield calls


@pytest.fixture(scope='module')
def pack(faces, tmp_path_factory):
    return str(packing.write_pack(faces, tmp_path_factory.mktemp('packs') / 'faces', size=72, jobs=1).path)


def read_batch(source, faces, pack):
    """A batch of N training images: from files, of stacked or single images, or from a pack."""
    if 'pack' in source:
        return PackedFaces(pack, device='cuda' if source == 'pack on the GPU' else None).__getitems__(range(N))
    steps = [
        dict(type='LoadFaceFromFile'),
        dict(type='Resize', scale=(72, 72), interpolation='area'),
        dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity')),
    ]
    dataset = CelebAIdentity(str(faces), pipeline=steps)
    collate = pseudo_collate if source == 'a list of files' else default_collate
    return collate([dataset[row] for row in range(N)])


def stock_preprocessor(small_cfg):
    """mmpretrain's, which does not crop."""
    small_cfg.model.data_preprocessor = ConfigDict(type='ClsDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3)
    for head in (small_cfg.model.head.attr_head, small_cfg.model.head.id_head):
        head.in_size = (5, 5)
    return small_cfg


def build_on_gpu(cfg):
    # Fake weights cannot be moved.
    with torch.device('cuda'):
        model = MODELS.build(cfg.model)
    model.data_preprocessor.to('cuda')
    return model


SOURCES = pytest.mark.parametrize(
    'source, copies', [('files', 3), ('a list of files', 3), ('a pack', 4), ('pack on the GPU', 0)]
)


@SOURCES
def test_a_training_step_waits_for_nothing(gpu, faces, pack, small_cfg, source, copies):
    model = build_on_gpu(small_cfg).train()
    wrapper = NonBlockingOptimWrapper(
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), clip_grad=dict(max_norm=10)
    )
    # Backpropagation needs a real device.
    wrapper.backward = lambda loss: [setattr(p, 'grad', torch.zeros_like(p)) for p in model.parameters()]
    batch = read_batch(source, faces, pack)
    gpu.found.clear()
    losses = model.train_step(batch, wrapper)
    assert {loss.device.type for loss in losses.values()} == {wrapper.grad_norm.device.type} == {'cuda'}
    assert (gpu.found['waits'], gpu.found['to the GPU']) == (0, copies)


def test_a_batch_of_a_pack_on_the_gpu_is_one_copy(gpu, pack):
    dataset = PackedFaces(pack, device='cuda')
    gpu.found.clear()
    batch = dataset.__getitems__(range(N))
    fields = [batch['inputs'], *batch['data_samples'].values()]
    assert len(fields) == 4 and {field.device.type for field in fields} == {'cuda'}
    assert (gpu.found['waits'], gpu.found['to the GPU']) == (0, 1)


@SOURCES
def test_predictions_and_their_metric_wait_twice_for_the_labels_of_a_batch(
    gpu, faces, pack, small_cfg, source, copies
):
    """Indices of labels are as many as there are; those of the truth are drawn, and stacked samples have neither."""
    model = build_on_gpu(small_cfg).eval()
    batch = read_batch(source, faces, pack)
    metric = PerAttributeAccuracy()
    gpu.found.clear()
    with torch.no_grad():
        samples = model.val_step(batch)
    metric.process(batch, [sample.to_dict() for sample in samples])
    assert all(result[0].device.type == result[1].device.type == 'cuda' for result in metric.results)
    assert gpu.found['waits'] == (4 if 'file' in source else 0)


@pytest.mark.parametrize('change', [lambda cfg: cfg, stock_preprocessor], ids=['ours', 'stock'])
def test_the_inferencer_copies_a_batch_once_there_and_once_back(best, small_cfg, request, change):
    inferencer = FaceAttributeInferencer(best, device='cpu')
    gpu = request.getfixturevalue('gpu')
    model = build_on_gpu(change(small_cfg)).eval()
    # An AttributePredictor checks itself on images, which a device without values cannot.
    inferencer.model = SimpleNamespace(
        logits=lambda images: model(model.data_preprocessor(dict(inputs=images))['inputs'])
    )
    inferencer.head, inferencer.device = model.head.attr_head, torch.device('cuda:0')
    faces = [np.full((3, 72, 72), 9, np.uint8)] * N
    gpu.found.clear()
    with torch.no_grad():
        [(_, logits, probabilities)] = inferencer._predict([({}, faces)], N)
    assert logits.shape == probabilities.shape == (N, 40)
    assert gpu.found == {'waits': 1, 'to the GPU': 1}


@pytest.mark.parametrize('change', [lambda cfg: cfg, stock_preprocessor], ids=['ours', 'stock'])
def test_a_predictor_is_moved_with_the_module_that_has_it(small_cfg, change):
    """To a device without values and back."""
    images = torch.zeros(N, 3, 72, 72, dtype=torch.uint8)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        predictor = AttributePredictor(MODELS.build(change(small_cfg).model).eval(), images=images)
    parent = torch.nn.Sequential(predictor)
    assert parent.to('meta')(images).device.type == 'meta'
    parent.to_empty(device='cpu')
    assert predictor.data_preprocessor(dict(inputs=images))['inputs'].device.type == 'cpu'


def test_results_of_a_compiled_predictor_are_not_those_of_its_next_call(small_cfg, monkeypatch):
    """A CUDA graph writes each into the same memory."""
    images, memory = torch.zeros(2, 3, 72, 72, dtype=torch.uint8), torch.zeros(2, 40)
    monkeypatch.setattr(torch, 'compile', lambda function, **kwargs: lambda images: memory.add_(1))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        predictor = optimize_for_inference(MODELS.build(small_cfg.model).eval(), compile=True, images=images)
    first, second = predictor(images), predictor(images)
    assert (first == 1).all() and (second == 2).all()
