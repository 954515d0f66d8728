"""One of two processes: what is validated and saved with averaged weights. Takes rank, store and folder."""

import copy
import sys
from types import SimpleNamespace

import torch
from mmengine.hooks import EMAHook
from torch import distributed, nn

from imcnn_plugin.engine import SyncAllBuffersHook, shutdown_distributed

rank, store, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
distributed.init_process_group('gloo', init_method=f'file://{store}', rank=rank, world_size=2)
torch.manual_seed(0)
found = []
for update_buffers in (False, True):
    runner = SimpleNamespace(model=nn.Sequential(nn.BatchNorm1d(1)), iter=0, epoch=0)
    averages, sync = EMAHook(momentum=0.5, update_buffers=update_buffers), SyncAllBuffersHook()
    runner.hooks = [averages, sync]
    averages.before_run(runner)
    for step in range(2):
        runner.model(torch.randn(8, 1) + 4 * rank)
        averages.after_train_iter(runner, step)
    sync.after_train_epoch(runner)
    sync.before_val_epoch(runner)
    averages.before_val_epoch(runner)
    validated = runner.model[0].running_mean.item()
    averages.after_val_epoch(runner)
    checkpoint = dict(state_dict=copy.deepcopy(runner.model.state_dict()))
    averages.before_save_checkpoint(runner, checkpoint)
    found.append((validated, checkpoint['state_dict']['0.running_mean'].item()))
torch.save(found, f'{folder}/{rank}.pth')
shutdown_distributed()
