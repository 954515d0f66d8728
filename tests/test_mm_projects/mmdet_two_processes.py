"""One of two processes, of which the second has no face in its batches. Usage: mmdet_two_processes.py FOLDER RANK."""

import sys
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from imcnn_plugin.engine import shutdown_distributed


def main():
    folder, rank = Path(sys.argv[1]), int(sys.argv[2])
    cfg = Config.fromfile(folder / 'small.py')
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    with DefaultScope.overwrite_default_scope('mmdet'):
        torch.manual_seed(0)
        model = MMDistributedDataParallel(MODELS.build(cfg.model), device_ids=None, broadcast_buffers=False)
        optim_wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.001))
        losses = []
        for batch in Runner.build_dataloader(cfg.train_dataloader):
            if rank:
                for sample in batch['data_samples']:
                    sample.gt_instances = sample.gt_instances[:0]
            logs = model.train_step(batch, optim_wrapper)
            losses.append(logs['loss_attr'].item())
    # Buffers of batch normalization are those of each process.
    weights = {name: value.detach() for name, value in model.named_parameters()}
    torch.save(dict(losses=losses, weights=weights), folder / f'rank_{rank}.pth')
    shutdown_distributed()


if __name__ == '__main__':
    main()
