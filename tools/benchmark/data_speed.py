"""Times reading of drawn faces: mmpretrain's pipeline on JPEG files, and packed faces, both in the page cache.

Readers run in turn, timed first in CPU time, then by wall clock; ratios are medians over rounds. (c) is the roofline:
each image is read once at the bandwidth of one core into a cached batch.
"""

import time

import torch
from benchlib.faces import write_many_faces
from benchlib.reading import cpu_seconds, make_readers, reading_rows, reading_table
from benchlib.report import add_number, alternate, make_benchmark_parser, print_table, run
from benchlib.roofline import measure_bandwidth

from imcnn_cli import OLD_NAME, between, run_tool
from imcnn_plugin.datasets.packing import write_pack


def parse_args():
    parser = make_benchmark_parser(__doc__, '--out data.json', '--images 800 --rounds 3', rounds=5)
    add_number(parser, '--images', 3200, 'images read in a round')
    add_number(parser, '--size', 112, 'side to which they are resized')
    add_number(parser, '--jobs', 2, 'number of loader processes of the readers that have some')
    parser.add_argument('--workers', dest='jobs', type=between(1), **OLD_NAME)
    return parser.parse_args()


def measure(args, folder):
    files, packed = folder / 'files', folder / 'packed'
    write_many_faces(files, args.images)
    write_pack(files, packed, args.size)
    torch.set_num_threads(1)
    bandwidth = measure_bandwidth(torch.device('cpu'), 2**25, time.process_time)
    bound = bandwidth / (3 * args.size**2)

    readers = make_readers(files, packed, args.size, args.images, args.batch_size, args.jobs)
    print(f'Reading {args.images} images per round, in CPU time.', flush=True)
    cpu = alternate(readers, args.rounds, clock=cpu_seconds)
    print('The same by wall clock.', flush=True)
    wall = alternate(readers, args.rounds, warm_up=0)
    rows = reading_rows(args.images, cpu, wall, bound)
    print_table(reading_table(rows, args.images))
    print(f'(c) {bandwidth / 1e9:.4g} GB/s of one core: {bound:,.0f} images/s')
    return dict(bandwidth=bandwidth, roofline=bound, readers=rows)


def main():
    run(measure, parse_args())


if __name__ == '__main__':
    run_tool(main)
