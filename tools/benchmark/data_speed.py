"""Times reading: mmpretrain's pipeline on JPEG files against packed faces, on drawn faces that the system has cached.

The readers run in turn, once timed by the processor and once by the clock, and ratios are medians over rounds.
(c) is the limit of the machine: each image is read once at the bandwidth of one core, into a batch in its cache.
"""

import argparse
import time
from pathlib import Path

import torch
from benchlib.faces import write_many_faces
from benchlib.reading import cpu_seconds, make_readers, reading_rows, reading_table
from benchlib.report import (
    describe_machine,
    positive,
    run_in_folder,
    show_machine,
    show_table,
    write_json,
)
from benchlib.roofline import measure_bandwidth
from benchlib.timing import alternate

from imcnn_plugin.datasets.packing import write_pack

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--images', type=positive, default=3200, help='read in each round')
    parser.add_argument('--size', type=positive, default=112, help='side to which they are resized')
    parser.add_argument('--batch-size', type=positive, default=64)
    parser.add_argument('--workers', type=positive, default=2, help='of the readers that have some')
    parser.add_argument('--rounds', type=positive, default=5, help='how often each is timed')
    parser.add_argument('--out', metavar='FILE', help='all figures, as JSON')
    return parser.parse_args()


def measure(args, folder):
    machine = describe_machine()
    print(show_machine(machine), flush=True)
    write_many_faces(folder / 'files', args.images)
    write_pack(folder / 'files', folder / 'packed', args.size)
    torch.set_num_threads(1)
    bandwidth = measure_bandwidth(torch.device('cpu'), 2**25, time.process_time)
    limit = bandwidth / (3 * args.size**2)

    readers = make_readers(
        CONFIGS, folder / 'files', folder / 'packed', args.size, args.images, args.batch_size, args.workers
    )
    print(f'Reading {args.images} images at a time, by the processor.', flush=True)
    cpu = alternate(readers, args.rounds, clock=cpu_seconds)
    print('The same by the clock.', flush=True)
    wall = alternate(readers, args.rounds, warm_up=0, clock=time.perf_counter)
    rows = reading_rows(args.images, cpu, wall, limit)
    print()
    print(show_table(reading_table(rows, args.images)))
    print(f'(c) {bandwidth / 1e9:.4g} GB/s of one core: {limit:,.0f} images/s')
    write_json(args.out, dict(machine=machine, settings=vars(args), bandwidth=bandwidth, limit=limit, readers=rows))


if __name__ == '__main__':
    run_in_folder(measure, parse_args())
