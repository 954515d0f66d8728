import torch
from mmengine.model import is_model_wrapper
from mmengine.runner import TestLoop
from mmpretrain.registry import DATASETS, LOOPS
from torch.utils.data import DataLoader

from .feature_svms import describe_part, fit_attributes


@LOOPS.register_module()
class DescriptorSVMLoop(TestLoop):
    """Tests a face recognition network as ID Net does: by linear SVMs for the attributes, fitted on its descriptors.

    The test part's data set is also opened with the splits train and val. Each process fits for itself all that it
    then predicts of its share of the test images.
    """

    def run(self) -> dict:
        runner = self.runner
        runner.call_hook('before_test')
        runner.call_hook('before_test_epoch')
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.eval()
        descriptors, targets = {}, {}
        for split in ('train', 'val', 'test'):
            loader = self.dataloader
            if split != 'test':
                dataset = DATASETS.build(dict(runner.cfg.test_dataloader.dataset, split=split))
                options = {key: getattr(loader, key) for key in ('batch_size', 'num_workers', 'collate_fn')}
                loader = DataLoader(dataset, **options)
            print(f'Describing the images of the {split} part')
            descriptors[split], targets[split], identity = describe_part(model, loader)
        scores, depths = fit_attributes(descriptors, targets)
        fields = dict(pred_score=scores, gt_score=targets['test'], identity=identity)
        self.evaluator.process(data_samples=[{key: torch.from_numpy(value) for key, value in fields.items()}])
        metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
        names = self.dataloader.dataset.metainfo['classes']
        runner.logger.info('Depths: ' + ', '.join(f'{name} {depth}' for name, depth in zip(names, depths)))
        runner.call_hook('after_test_epoch', metrics=metrics)
        runner.call_hook('after_test')
        return metrics
