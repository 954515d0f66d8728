import torch
from mmengine.runner import TestLoop
from mmpretrain.registry import LOOPS
from mmpretrain.utils import get_ori_model
from torch.utils.data import DataLoader

from ..signals import let_workers_follow
from .evaluation_data import build_split
from .feature_svms import _extract_split, _fit_attributes


@LOOPS.register_module(name=['FeatureSVMLoop', 'DescriptorSVMLoop'])
class FeatureSVMLoop(TestLoop):
    """Tests linear SVMs for the attributes, fitted to a network's features, as ID Net and ANet do.

    The test dataset is also built with the splits train and val, to fit the SVMs and to choose layers. Each process
    fits all SVMs and predicts its share of the test images.
    """

    def run(self) -> dict:
        runner = self.runner
        runner.call_hook('before_test')
        runner.call_hook('before_test_epoch')
        model = get_ori_model(runner.model)
        model.eval()
        features, targets = {}, {}
        for split in ('train', 'val', 'test'):
            loader = self.dataloader
            if split != 'test':
                options = {key: getattr(loader, key) for key in ('batch_size', 'num_workers', 'collate_fn')}
                loader = let_workers_follow(DataLoader(build_split(runner.cfg, split), **options))
            features[split], targets[split], identity = _extract_split(model, loader, split, self.fp16)
        scores, layers = _fit_attributes(features, targets)
        fields = dict(pred_score=scores, gt_score=targets['test'], identity=identity)
        self.evaluator.process(data_samples=[{key: torch.from_numpy(value) for key, value in fields.items()}])
        metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
        names = self.dataloader.dataset.metainfo['classes']
        runner.logger.info('Layers: ' + ', '.join(f'{name} {layer}' for name, layer in zip(names, layers)))
        runner.call_hook('after_test_epoch', metrics=metrics)
        runner.call_hook('after_test')
        return metrics
