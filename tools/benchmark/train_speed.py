"""Times training steps: the reference (a), this package option by option, and the same step on synthetic input (b).

It also times the training loop around a tiny network. It trains on drawn faces, on a GPU if available. Variants run in
turn, and ratios are medians over rounds. (c) is the roofline: traffic of the weights / bandwidth + FLOP / peak, both
measured. --scaling instead measures speed and peak memory by batch size, number of identities and width.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from benchlib.faces import write_many_faces
from benchlib.loop_cost import TINY, loop_table, make_loops, measure_loops
from benchlib.network import Network, count_weights
from benchlib.report import add_compile, add_number, alternate, make_benchmark_parser, print_table, run
from benchlib.roofline import STEP_BYTES, better_of, count_flops, measure_roofline, show_roofline, step_bound
from benchlib.scaling import Point, make_points, measure_in_new_process, measure_point, scaling_row, scaling_table
from benchlib.training import Data, make_variants, training_rows, training_table

from imcnn_cli import between, run_tool
from imcnn_plugin.datasets.packing import write_pack


def parse_args():
    gpu = torch.cuda.is_available()
    parser = make_benchmark_parser(
        __doc__,
        '--out train.json',
        '--scaling --rounds 3 --out scaling.json',
        rounds=7 if gpu else 5,
    )
    add_number(parser, '--steps', 50 if gpu else 1, 'steps of a variant in a round')
    add_number(parser, '--width', 1.0, 'factor on the size of every layer', between(1e-3, 100, float))
    add_number(parser, '--size', 112, 'side of the images')
    add_number(parser, '--identities', 8192, 'number of identities')
    add_compile(parser, gpu)
    add_number(parser, '--loop-steps', 50, 'steps of the tiny network in a round')
    add_number(parser, '--loop-rounds', 20, 'rounds of the tiny network')
    scaling = parser.add_argument_group(
        'scaling', 'Each size is measured in a new process, in bfloat16, and differs in one value from the base, '
        'which --batch-size, --identities and --width set.'
    )  # fmt: skip
    scaling.add_argument('--scaling', action='store_true', help='measure scaling instead')
    for name, kind, default in (
        ('--batch-sizes', between(1), [32, 64, 128, 256, 512, 1024] if gpu else [16, 64, 128]),
        ('--identity-counts', between(1), [1000, 8192, 100000]),
        ('--widths', between(1e-3, 100, float), [0.25, 0.5, 1.0]),
    ):
        text = f'default {" ".join(map(str, default))}'
        scaling.add_argument(name, type=kind, nargs='+', default=default, metavar='N', help=text)
    # One size as JSON, passed to the new processes.
    scaling.add_argument('--point', type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(args, folder):
    network = Network(args.width, args.size, args.identities)
    data = Data(folder / 'files', folder / 'packed', args.batch_size, args.steps)
    write_many_faces(data.files, max(data.images, args.batch_size * args.loop_steps))
    write_pack(data.files, data.packed, args.size)
    write_pack(data.files, folder / 'tiny', TINY.size)

    print('Measuring the roofline.', flush=True)
    roofline = measure_roofline()
    print(f'The loop around a tiny network, {args.loop_steps} steps per round.', flush=True)
    loops = make_loops(folder / 'tiny', args.batch_size, args.loop_steps, folder / 'work')
    loop_rows = measure_loops(loops, args.loop_steps, args.loop_rounds, later=100000)
    print(f'Training, {args.steps} x {args.batch_size} images per round.', flush=True)
    variants = make_variants(data, network, folder / 'work', args.compile)
    blocks = alternate(
        {name: variant.run for name, variant in variants.items()},
        args.rounds,
        prepare={name: variant.prepare for name, variant in variants.items()},
    )
    roofline = better_of(roofline, measure_roofline())

    model = network.build('meta')
    weights, flops = count_weights(model), count_flops(model, args.size) * args.batch_size
    bounds = {dtype: step_bound(roofline, dtype, weights, flops) for dtype in STEP_BYTES}
    rows = training_rows(variants, blocks, data, bounds)
    print_table(training_table(rows))
    size = f'{weights / 1e6:.1f} M weights and {flops / 1e9:.0f} GFLOP per step'
    print(f'(c) {show_roofline(roofline, bounds)} for {size}')
    print_table(loop_table(loop_rows))
    return dict(roofline=roofline, weights=weights, flops=flops, variants=rows, loop=loop_rows)


def measure_scaling(args, folder):
    base = Point(args.batch_size, args.identities, args.width, args.size)
    points = make_points(args.batch_sizes, args.identity_counts, args.widths, base)
    roofline = measure_roofline()
    figures = []
    for index, point in enumerate(points, 1):
        print(f'{index} of {len(points)}: {point}', flush=True)
        options = ('--steps', str(args.steps), '--rounds', str(args.rounds))
        figures.append(measure_in_new_process(Path(__file__), point, *options))
    roofline = better_of(roofline, measure_roofline())
    rows = [scaling_row(point, values, roofline) for point, values in zip(points, figures)]
    print_table(scaling_table(rows))
    print(f'(c) {roofline["bandwidth"] / 1e9:.4g} GB/s, {roofline["bfloat16"] / 1e9:.4g} GFLOP/s in bfloat16')
    return dict(roofline=roofline, points=rows)


def main():
    args = parse_args()
    if args.point:
        print(json.dumps(measure_point(Point(**args.point), args.steps, args.rounds)))
    elif not args.scaling:
        run(measure, args)
    elif failed := [row for row in run(measure_scaling, args)['points'] if 'error' in row]:
        sys.exit(
            '\n'.join(
                f'error: batch size {row["batch_size"]}, {row["num_identities"]} identities, width {row["width"]:g}: '
                f'{row["error"]}'
                for row in failed
            )
        )


if __name__ == '__main__':
    run_tool(main)
