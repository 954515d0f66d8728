"""Times prediction, one image and a batch at a time: the reference (a), this package, and optimized for inference.

It predicts drawn faces, on a GPU if available. Predictors run in turn, and ratios are medians over rounds. Images are
already on the device, so reading is not included. (c) is the roofline: the weights read once / bandwidth + FLOP /
peak, both measured. All predictors have the same weights; if their labels disagree, the exit status is 1.
"""

import sys

import torch
from benchlib.faces import write_many_faces
from benchlib.inference import agreement, inference_rows, inference_table, make_calls, make_predictors
from benchlib.network import Network, count_weights
from benchlib.report import add_compile, add_number, alternate, make_benchmark_parser, print_table, run, the_device
from benchlib.roofline import STEP_BYTES, better_of, count_flops, inference_bound, measure_roofline, show_roofline

from imcnn_cli import between, run_tool
from imcnn_plugin.datasets.packing import write_pack

# In bfloat16, labels with a probability close to 0.5 may flip.
MIN_AGREEMENT = 0.95


def parse_args():
    gpu = torch.cuda.is_available()
    parser = make_benchmark_parser(
        __doc__,
        '--out infer.json',
        '--batch-size 32 --rounds 3 --no-compile',
        rounds=7 if gpu else 5,
        batch_size=256 if gpu else 64,
    )
    add_number(parser, '--calls', 20 if gpu else 1, 'batches of a predictor in a round')
    add_number(parser, '--latency-rounds', 100 if gpu else 20, 'rounds with one image')
    add_number(parser, '--width', 1.0, 'factor on the size of every layer', between(1e-3, 100, float))
    add_number(parser, '--size', 112, 'side of the images')
    add_compile(parser, gpu)
    return parser.parse_args()


def measure(args, folder):
    write_many_faces(folder / 'files', args.batch_size)
    faces = write_pack(folder / 'files', folder / 'packed', args.size).images
    images = torch.tensor(faces, device=the_device()).permute(0, 3, 1, 2)
    network = Network(args.width, args.size, num_identities=0)
    predictors = make_predictors(network, images, args.compile)
    agreements = agreement(predictors, images)
    model = network.build('meta')
    weights, flops = count_weights(model), count_flops(model, args.size, training=False)
    print('Measuring the roofline.', flush=True)
    roofline = measure_roofline()

    rows, lines = [], []
    for batch_size, rounds, repeats in [(1, args.latency_rounds, 1), (args.batch_size, args.rounds, args.calls)]:
        print(f'Batches of {batch_size}.', flush=True)
        calls = make_calls(predictors, images[:batch_size], repeats)
        blocks = alternate(calls, rounds)
        seconds = {name: [value / repeats for value in values] for name, values in blocks.items()}
        roofline = better_of(roofline, measure_roofline())
        bounds = {dtype: inference_bound(roofline, dtype, weights, flops * batch_size) for dtype in STEP_BYTES}
        rows += inference_rows(predictors, calls, seconds, batch_size, bounds)
        lines.append(f'(c) for {batch_size}: {show_roofline(roofline, bounds)}')
    print_table(inference_table(rows, agreements))
    print('\n'.join(lines))
    return dict(roofline=roofline, agreement=agreements, predictors=rows)


def main():
    for name, values in run(measure, parse_args())['agreement'].items():
        if values['labels_agree'] < MIN_AGREEMENT:
            sys.exit(f'error: {1 - values["labels_agree"]:.1%} of the labels of {name} differ from the reference')


if __name__ == '__main__':
    run_tool(main)
