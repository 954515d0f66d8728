"""A process that predicts photos on request, with this package or with another checkout of it."""

import json
import sys
import time

import cv2
import torch

from imcnn_plugin.apis import FaceAttributeInferencer


def main():
    """Reads one line per round from standard input; prints the wall time and CPU time of the round in seconds."""
    checkpoint, options, *photos = sys.argv[1:]
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    inferencer = FaceAttributeInferencer(checkpoint, 'cpu', **json.loads(options))
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        results = inferencer(photos)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        faces = sum(bool(result['faces']) for result in results)
        print(json.dumps(dict(wall=wall, cpu=cpu, with_face=faces)), flush=True)


if __name__ == '__main__':
    main()
