"""Times a training step and a batch of predictions of configs, in turn, on images of noise that are there already.

Ratios to the first config are medians over rounds. A GPU is used where there is one.
"""

import argparse

from benchlib.report import (
    describe_machine,
    positive,
    run_in_folder,
    show_machine,
    show_table,
    write_json,
)
from benchlib.timing import alternate
from benchlib.variant_cost import cost_rows, cost_table, make_trainee

from imcnn_plugin.experiments.variant import load_variant, parse_variant


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'variants', nargs='+', metavar='NAME=CONFIG [KEY=VALUE ...]', help='one argument a variant; options override'
    )
    parser.add_argument('--batch-size', type=positive, default=64, help='images in a step; default %(default)s')
    parser.add_argument('--rounds', type=positive, default=15, help='how often each is timed; default %(default)s')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='for all variants')
    parser.add_argument('--out', metavar='FILE', help='all figures, as JSON')
    return parser.parse_intermixed_args()


def measure(args, folder):
    machine = describe_machine()
    print(show_machine(machine), flush=True)
    variants = [parse_variant(text, args.cfg_options) for text in args.variants]
    trainees = {
        variant.name: make_trainee(load_variant(variant.config, variant.options), args.batch_size)
        for variant in variants
    }
    print('Training', flush=True)
    training = alternate(
        {name: trainee.train for name, trainee in trainees.items()},
        args.rounds,
        prepare={name: trainee.model.train for name, trainee in trainees.items()},
    )
    print('Predicting', flush=True)
    # A network of identities alone predicts no attributes by itself.
    able = {name: trainee for name, trainee in trainees.items() if hasattr(trainee.model.head, 'predict')}
    predicting = alternate(
        {name: trainee.predict for name, trainee in able.items()},
        args.rounds,
        prepare={name: trainee.model.eval for name, trainee in able.items()},
    )
    rows = cost_rows(trainees, training, predicting)
    print()
    print(show_table(cost_table(rows)))
    write_json(args.out, dict(machine=machine, settings=vars(args), variants=rows))


if __name__ == '__main__':
    run_in_folder(measure, parse_args())
