"""Times training and takes its peak of memory by batch size, number of identities and width, each in a new process.

Input is synthetic, precision bfloat16, with channels_last and fused SGD, on a GPU where there is one. (c) is the limit
of the machine: traffic of the weights / bandwidth + FLOP / peak, both measured.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from benchlib.report import describe_machine, positive, show_machine, show_table, the_device, write_json
from benchlib.roofline import better_of, measure_machine
from benchlib.scaling import (
    Point,
    make_points,
    measure_in_new_process,
    measure_point,
    scaling_row,
    scaling_table,
)

from imcnn_plugin.engine import load_config
from imcnn_plugin.errors import IMCNNError

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'imcnn_celeba.py'


def parse_args():
    gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        '--batch-sizes', type=positive, nargs='+', default=[32, 64, 128, 256, 512, 1024] if gpu else [16, 64, 128]
    )
    parser.add_argument('--identities', type=positive, nargs='+', default=[1000, 8192, 100000])
    parser.add_argument('--widths', type=float, nargs='+', default=[0.25, 0.5, 1.0])
    parser.add_argument('--base', nargs=3, default=[64, 8192, 1], metavar=('BATCH', 'IDENTITIES', 'WIDTH'),
                        help='what the others differ from in one thing')  # fmt: skip
    parser.add_argument('--size', type=positive, default=112, help='side of the images')
    parser.add_argument('--steps', type=positive, default=20 if gpu else 1, help='steps of a round')
    parser.add_argument('--rounds', type=positive, default=3, help='how often these are timed')
    parser.add_argument('--out', metavar='FILE', help='all figures, as JSON')
    parser.add_argument('--point', type=json.loads, help='for the new processes: one point, as JSON')
    return parser.parse_args()


def main():
    args = parse_args()
    cfg = load_config(CONFIG)
    try:
        if args.point:
            print(json.dumps(measure_point(cfg, Point(**args.point), args.steps, args.rounds)))
        elif failed := measure(args, cfg):
            sys.exit('\n'.join(failed))
    except IMCNNError as error:
        sys.exit(f'error: {error}')


def measure(args, cfg):
    machine = describe_machine()
    print(show_machine(machine), flush=True)
    batch_size, identities, width = args.base
    base = Point(int(batch_size), int(identities), float(width), args.size)
    points = make_points(args.batch_sizes, args.identities, args.widths, base)
    limit = measure_machine(the_device())
    figures = []
    for index, point in enumerate(points, 1):
        print(f'{index} of {len(points)}: {point}', flush=True)
        options = ('--steps', str(args.steps), '--rounds', str(args.rounds))
        figures.append(measure_in_new_process(Path(__file__), point, *options))
    limit = better_of(limit, measure_machine(the_device()))
    rows = [scaling_row(cfg, point, values, limit) for point, values in zip(points, figures)]
    print()
    print(show_table(scaling_table(rows)))
    print(f'(c) {limit["bandwidth"] / 1e9:.4g} GB/s, {limit["bfloat16"] / 1e9:.4g} GFLOP/s in bfloat16')
    write_json(args.out, dict(machine=machine, settings=vars(args), limit=limit, points=rows))
    return [f'error: {point}: {values["error"]}' for point, values in zip(points, figures) if 'error' in values]


if __name__ == '__main__':
    main()
