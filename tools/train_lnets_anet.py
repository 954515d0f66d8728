"""Trains LNets+ANet on photos, stage by stage, and compares it with a face detector and with IMCNN."""

from imcnn_cli import add_cfg_options, make_parser, run_tool

NAMES = dict(
    center='fixed window',
    lnet_o='LNet-o',
    lnet_s='LNet-s',
    majority='majority-class baseline',
    imcnn_aligned='detector, alignment, IMCNN',
    anet_wild='LNets+ANet',
    anet='ANet on aligned faces',
)


def parse_args():
    parser = make_parser(
        __doc__,
        '--photos data/celeba --faces data/celeba_72',
        '--photos data/celeba --faces data/celeba_72 --imcnn work_dirs/imcnn_celeba_mini_fast',
    )
    parser.add_argument('--photos', required=True, metavar='DIR', help="CelebA's folder with photos in img_celeba")
    parser.add_argument(
        '--faces', required=True, metavar='DIR', help='pack of the aligned faces, see tools/data/pack.py'
    )
    parser.add_argument(
        '--imcnn',
        metavar='CHECKPOINT',
        help='checkpoint of imcnn_celeba_mini_fast.py from which the LNets start; default from scratch',
    )
    parser.add_argument(
        '--work-dir',
        default='work_dirs/lnets_anet',
        metavar='DIR',
        help='folder for the work directories of all stages; default %(default)s',
    )
    add_cfg_options(parser)
    return parser.parse_args()


def main(args):
    from imcnn_plugin.apis import LNetsANet
    from imcnn_plugin.tables import aligned_lines

    summary = LNetsANet(args.photos, args.faces, args.work_dir, args.imcnn, args.cfg_options).run()
    overlaps = [
        (NAMES[name], f'{share:.2f} %', f'{summary["mean_overlap"][name]:.3f}')
        for name, share in summary['localized'].items()
    ]
    accuracies = [(NAMES[name], f'{value:.2f} %') for name, value in summary['accuracy'].items()]
    title = f'faces of {summary["photos_with_a_face"]} test photos'
    print('\n'.join(aligned_lines([(title, 'IoU >= 0.5', 'mean IoU'), *overlaps], rules=(1,))), end='\n\n')
    print('\n'.join(aligned_lines([('attributes', 'mean accuracy'), *accuracies], rules=(1,))))


if __name__ == '__main__':
    run_tool(main, parse_args)
