"""One of several processes, with its share of a global batch. Usage: one_step.py RANK WORLD FOLDER."""

import sys
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook

from imcnn_plugin.engine import shutdown_distributed


def main():
    rank, world, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    job = torch.load(folder / 'job.pth', weights_only=True)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(Config.fromfile(folder / 'model.py').model).double()
    # Torch has no batch normalization over CPU processes.
    model.eval()
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store_{world}', rank=rank, world_size=world
    )
    wrapped = MMDistributedDataParallel(model, device_ids=None, broadcast_buffers=False)
    if job['bf16']:
        wrapped.register_comm_hook(None, bf16_compress_hook)
    rows = np.array_split(np.arange(len(job['images'])), world)[rank]
    samples = DataSample(gt_score=job['labels'][rows], gt_identity=job['identity'][rows])
    losses = wrapped(job['images'][rows].double(), samples, mode='loss')
    sum(losses.values()).backward()
    averaged = {}
    for name, loss in losses.items():
        averaged[name] = loss.detach().clone()
        torch.distributed.all_reduce(averaged[name])
        averaged[name] /= world
    if rank == 0:
        gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
        torch.save(dict(losses=averaged, gradients=gradients), folder / f'found_{world}.pth')
    shutdown_distributed()


if __name__ == '__main__':
    main()
