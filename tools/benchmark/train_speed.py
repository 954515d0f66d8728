"""Times training: (a) the obvious way, ours option by option, (b) the same step on synthetic input; and the loop.

It runs on drawn faces, on a GPU where there is one. The variants run in turn, and ratios are medians over rounds.
(c) is the limit of the machine: traffic of the weights / bandwidth + FLOP / peak, both measured.
"""

import argparse
from pathlib import Path

import torch
from benchlib.faces import write_many_faces
from benchlib.loop_cost import TINY, loop_table, make_loops, measure_loops
from benchlib.network import Network, build_model, count_weights
from benchlib.report import (
    describe_machine,
    positive,
    run_in_folder,
    show_limits,
    show_machine,
    show_table,
    the_device,
    write_json,
)
from benchlib.roofline import STEP_BYTES, better_of, count_flops, measure_machine, step_limit
from benchlib.runners import our_config
from benchlib.timing import alternate
from benchlib.training import Data, make_variants, training_rows, training_table

from imcnn_plugin.datasets.packing import write_pack

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def parse_args():
    gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--batch-size', type=positive, default=64, help='images in a step')
    parser.add_argument('--steps', type=positive, default=50 if gpu else 1, help='steps of a variant before the next')
    parser.add_argument('--rounds', type=positive, default=7 if gpu else 5, help='how often each variant is timed')
    parser.add_argument('--width', type=float, default=1.0, help='factor on the size of every layer')
    parser.add_argument('--size', type=positive, default=112, help='side of the images')
    parser.add_argument('--identities', type=positive, default=8192, help='identities of the identity branch')
    parser.add_argument(
        '--compile', action=argparse.BooleanOptionalAction, default=gpu, help='compile, too; minutes on a CPU'
    )
    parser.add_argument('--loop-steps', type=positive, default=50, help='steps of a round of the loop')
    parser.add_argument('--loop-rounds', type=positive, default=20, help='rounds of the loop')
    parser.add_argument('--out', metavar='FILE', help='all figures, as JSON')
    return parser.parse_args()


def measure(args, folder):
    machine = describe_machine()
    print(show_machine(machine), flush=True)
    network = Network(args.width, args.size, args.identities)
    data = Data(folder / 'files', folder / 'packed', args.batch_size, args.steps)
    write_many_faces(data.files, max(data.images, args.batch_size * args.loop_steps))
    write_pack(data.files, data.packed, args.size)
    write_pack(data.files, folder / 'tiny', TINY.size)

    print('Measuring the machine.', flush=True)
    limit = measure_machine(the_device())
    print(f'The loop around a tiny network, {args.loop_steps} steps at a time.', flush=True)
    loops = make_loops(CONFIGS, folder / 'tiny', args.batch_size, args.loop_steps, folder / 'work')
    loop_rows = measure_loops(loops, args.loop_steps, args.loop_rounds, later=100000)
    print(f'Training, {args.steps} x {args.batch_size} images at a time.', flush=True)
    variants = make_variants(CONFIGS, data, network, folder / 'work', args.compile)
    blocks = alternate(
        {name: variant.run for name, variant in variants.items()},
        args.rounds,
        prepare={name: variant.prepare for name, variant in variants.items()},
    )
    limit = better_of(limit, measure_machine(the_device()))

    model = build_model(network.change(our_config(CONFIGS, data.packed, 1, 1)), 'meta')
    weights, flops = count_weights(model), count_flops(model, args.size) * args.batch_size
    limits = {dtype: step_limit(limit, dtype, weights, flops) for dtype in STEP_BYTES}
    rows = training_rows(variants, blocks, data, limits)
    print()
    print(show_table(training_table(rows)))
    print(f'(c) {show_limits(limit, limits)} for {weights / 1e6:.1f} M weights and {flops / 1e9:.0f} GFLOP a step.')
    print()
    print(show_table(loop_table(loop_rows)))
    write_json(
        args.out,
        dict(
            machine=machine,
            settings=vars(args),
            limit=limit,
            weights=weights,
            flops=flops,
            variants=rows,
            loop=loop_rows,
        ),
    )


if __name__ == '__main__':
    run_in_folder(measure, parse_args())
