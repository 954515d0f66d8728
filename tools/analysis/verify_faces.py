"""Measures face verification on LFW's pairs with the features of networks: how much they know about identities."""

import json

from imcnn_cli import (
    NAMED_CHECKPOINT,
    add_named_checkpoints,
    add_out,
    between,
    make_parser,
    run_tool,
    split_named,
    writable,
)


def parse_args():
    parser = make_parser(
        __doc__,
        'IMCNN=work_dirs/imcnn_celeba --pairs pairs.txt --images lfw',
        'ATTR=work_dirs/attr_net_celeba IMCNN=work_dirs/imcnn_celeba --pairs pairs.txt --images lfw --out roc.png',
    )
    add_named_checkpoints(parser)
    parser.add_argument('--pairs', required=True, metavar='FILE', help="LFW's pairs.txt")
    parser.add_argument('--images', required=True, metavar='DIR', help='folder with a folder of pictures per person')
    parser.add_argument(
        '--half',
        type=int,
        choices=(0, 1),
        help="only people of LFWA's test half, 0, or of the other, 1, for networks that were trained with this fold; "
        'its files are beside DIR',
    )
    parser.add_argument(
        '--cut',
        nargs=2,
        type=between(1),
        default=(170, 208),
        metavar=('WIDTH', 'HEIGHT'),
        help='the middle of each picture that is cut out, of 250 x 250 pixels; default 170 208',
    )
    add_out(parser, 'the figure of the ROC curves', kind='figure', required=False)
    parser.add_argument(
        '--json', type=writable, metavar='FILE', help='file for the accuracy of each fold and the areas, as JSON'
    )
    return parser.parse_intermixed_args()


def main(args):
    from imcnn_plugin.apis import pairs_of_half, verify_pairs
    from imcnn_plugin.evaluation import read_face_pairs, verification_rows, verification_table
    from imcnn_plugin.files import write_text
    from imcnn_plugin.tables import aligned_lines
    from imcnn_plugin.visualization import plot_roc_curves, save_figure

    listed = read_face_pairs(args.pairs)
    pairs = there = listed.inside(args.images)
    if args.half is not None:
        pairs = pairs_of_half(there, args.images, args.half)
    results = {
        name: verify_pairs(checkpoint, args.images, pairs, tuple(args.cut), half=args.half)
        for name, checkpoint in split_named(args.networks, NAMED_CHECKPOINT)
    }
    rows = verification_rows(results)
    print('\n'.join(aligned_lines(verification_table(rows), rules=[1])))
    folds = len(set(pairs.fold.tolist()))
    threshold = 'in one fold, with the threshold that is best on these very pairs'
    if folds > 1:
        threshold = f'in {folds} folds, each with the threshold that is best on the others'
        threshold += '; +- is the standard error over folds'
    print(f'{len(pairs.names)} pairs {threshold}; AUC is the area under the ROC curve. Chance is 50 % and 0.5.')
    if left_out := len(listed.names) - len(there.names):
        print(f'Skipped: {left_out} pairs with an image that is not in {args.images}.')
    if args.json:
        about = dict(pairs=len(pairs.names), folds=folds, results=rows)
        write_text(args.json, json.dumps(about, indent=1) + '\n')
        print(f'Written to {args.json}')
    if args.out:
        curves = {f'{name}, {kind}': result for name, found in results.items() for kind, result in found.items()}
        save_figure(plot_roc_curves(curves), args.out)
        print(f'Written to {args.out}')


if __name__ == '__main__':
    run_tool(main, parse_args)
