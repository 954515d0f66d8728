"""Times prediction, one image and a batch at a time: (a) the obvious network, ours, and ours optimized for inference.

It runs on drawn faces, on a GPU where there is one. The predictors run in turn, and ratios are medians over rounds.
Images are on the device already and none of them reads: what is timed is (b). (c) is the limit of the machine: the
weights read once / bandwidth + FLOP / peak, both measured. All have the same weights; their labels must agree.
"""

import argparse
import sys
from pathlib import Path

import torch
from benchlib.faces import write_many_faces
from benchlib.inference import agreement, inference_rows, inference_table, make_calls, make_predictors
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
from benchlib.roofline import STEP_BYTES, better_of, count_flops, inference_limit, measure_machine
from benchlib.timing import alternate

from imcnn_plugin.datasets.packing import write_pack
from imcnn_plugin.engine import load_config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
# In bfloat16 a label whose probability is 0.5 to two digits may turn.
LEAST_AGREEMENT = 0.95


def parse_args():
    gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        '--batch-size', type=positive, default=256 if gpu else 64, help='images of the throughput mode'
    )
    parser.add_argument('--calls', type=positive, default=20 if gpu else 1, help='batches before the next predictor')
    parser.add_argument(
        '--rounds', type=positive, default=7 if gpu else 5, help='how often each is timed with batches'
    )
    parser.add_argument('--latency-rounds', type=positive, default=100 if gpu else 20, help='and with one image')
    parser.add_argument('--width', type=float, default=1.0, help='factor on the size of every layer')
    parser.add_argument('--size', type=positive, default=112, help='side of the images')
    parser.add_argument(
        '--compile', action=argparse.BooleanOptionalAction, default=gpu, help='compile, too; a minute on a CPU'
    )
    parser.add_argument('--out', metavar='FILE', help='all figures, as JSON')
    return parser.parse_args()


def measure(args, folder):
    machine, device = describe_machine(), the_device()
    print(show_machine(machine), flush=True)
    write_many_faces(folder / 'files', args.batch_size)
    faces = write_pack(folder / 'files', folder / 'packed', args.size).images
    images = torch.tensor(faces, device=device).permute(0, 3, 1, 2)
    network = Network(args.width, args.size, num_identities=0)
    predictors = make_predictors(CONFIGS, network, images, args.compile)
    agreements = agreement(predictors, images)
    model = build_model(network.change(load_config(CONFIGS / 'imcnn_celeba.py')), 'meta')
    weights, flops = count_weights(model), count_flops(model, args.size, training=False)
    print('Measuring the machine.', flush=True)
    limit = measure_machine(device)

    modes = {1: (args.latency_rounds, 1), args.batch_size: (args.rounds, args.calls)}
    rows, lines = [], []
    for batch_size, (rounds, repeats) in modes.items():
        print(f'{batch_size} at a time.', flush=True)
        calls = make_calls(predictors, images[:batch_size], repeats)
        blocks = alternate(calls, rounds)
        seconds = {name: [value / repeats for value in values] for name, values in blocks.items()}
        limit = better_of(limit, measure_machine(device))
        limits = {dtype: inference_limit(limit, dtype, weights, flops * batch_size) for dtype in STEP_BYTES}
        rows += inference_rows(predictors, calls, seconds, batch_size, limits)
        lines.append(f'(c) for {batch_size}: {show_limits(limit, limits)}')
    print()
    print(show_table(inference_table(rows, agreements)))
    print('\n'.join(lines))
    write_json(
        args.out, dict(machine=machine, settings=vars(args), limit=limit, agreement=agreements, predictors=rows)
    )
    for name, values in agreements.items():
        if values['labels_agree'] < LEAST_AGREEMENT:
            sys.exit(f'error: {name} gives {1 - values["labels_agree"]:.1%} other labels than the obvious network')


if __name__ == '__main__':
    run_in_folder(measure, parse_args())
