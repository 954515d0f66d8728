"""Compares the cost of configs: weights, a training step and a batch of predictions, on random images in memory.

Variants run in turn, on a GPU if available; ratios to the first config are medians over rounds.
"""

from benchlib.report import add_number, alternate, make_benchmark_parser, print_table, run
from benchlib.variant_cost import build_variant, cost_rows, cost_table

from imcnn_cli import VARIANT, run_tool
from imcnn_plugin.experiments import load_variant, parse_variant


def parse_args():
    parser = make_benchmark_parser(
        __doc__,
        'IMCNN=configs/imcnn_celeba.py MCNN=configs/mcnn_celeba.py --out cost.json',
        '"width 0.5=configs/imcnn_celeba.py model.backbone.width=0.5" --rounds 5 --batch-size 16',
        rounds=15,
    )
    parser.add_argument('variants', nargs='+', metavar='NAME=CONFIG [KEY=VALUE ...]', help=VARIANT)
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override values of all configs'
    )
    add_number(parser, '--identities', 8192, "number of identities if a config's num_identities is 'auto'")
    return parser.parse_intermixed_args()


def measure(args, folder):
    parsed = [parse_variant(text, args.cfg_options) for text in args.variants]
    variants = {
        variant.name: build_variant(load_variant(variant.config, variant.options), args.batch_size, args.identities)
        for variant in parsed
    }
    print('Training.', flush=True)
    training = alternate(
        {name: variant.train for name, variant in variants.items()},
        args.rounds,
        prepare={name: variant.model.train for name, variant in variants.items()},
    )
    print('Predicting.', flush=True)
    # A network without an attribute head predicts no attributes.
    predictors = {name: variant for name, variant in variants.items() if hasattr(variant.model.head, 'predict')}
    predicting = alternate(
        {name: variant.predict for name, variant in predictors.items()},
        args.rounds,
        prepare={name: variant.model.eval for name, variant in predictors.items()},
    )
    rows = cost_rows(variants, training, predicting)
    print_table(cost_table(rows))
    return dict(variants=rows)


def main():
    run(measure, parse_args())


if __name__ == '__main__':
    run_tool(main)
