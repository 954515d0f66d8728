"""One of several processes with its share of an evaluation. Usage: one_share.py RANK WORLD FOLDER COLLECT_DEVICE."""

import sys
from pathlib import Path

import torch
from mmengine.dataset import DefaultSampler

from imcnn_plugin.engine import shutdown_distributed
from imcnn_plugin.evaluation import PerAttributeAccuracy


def main():
    rank, world, folder, device = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    job = torch.load(folder / 'job.pth', weights_only=True)
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=world)
    metric = PerAttributeAccuracy(collect_device=device, collect_dir=folder / 'parts' if device == 'cpu' else None)
    metric.dataset_meta = dict(classes=list('abc'))
    images = job['images']
    own = [images[i] for i in DefaultSampler(images, shuffle=False, round_up=job['round_up'])]
    if job['stacked'] and own:
        own = [{key: torch.stack([image[key] for image in own]) for key in own[0]}]
    for image in own:
        metric.process({}, [image])
    metrics = metric.evaluate(len(images))
    if rank == 0:
        torch.save(dict(metrics, images=metric.report.num_images), folder / 'found.pth')
    shutdown_distributed()


if __name__ == '__main__':
    main()
