"""Prints both halves of the paper's Table 3 beside measured accuracies, and lists the errors in the table."""

from pathlib import Path

from imcnn_cli import add_out, make_parser, run_tool

# Text above this line is kept when the table is rewritten.
MARK = '<!-- Made by tools/analysis/compare_to_paper.py from here on. -->\n'


def parse_args():
    parser = make_parser(
        __doc__,
        'IMCNN=work_dirs/imcnn_celeba',
        "'IMCNN=work_dirs/sweep/imcnn-seed*' --set celeba --format markdown --out table.md",
    )
    parser.add_argument(
        'files',
        nargs='*',
        metavar='NAME=WORK_DIR',
        help='a name for the output, and the work directory of its run, a per_attribute.json, or a pattern of several '
        "in quotes; without NAME= the work directory's name is taken. Runs of one name on one dataset are seeds. One "
        "that is named after a system of the table, such as 'IMCNN' or 'IMCNN, zero-shot', also gets a column of "
        'differences. Or the rows that --format json wrote',
    )
    parser.add_argument('--set', choices=('celeba', 'lfwa'), help='show only this dataset; default both')
    parser.add_argument(
        '--format',
        choices=('text', 'markdown', 'latex', 'json'),
        default='text',
        help='latex needs booktabs, graphicx and rotating; json: the rows of what was measured; default %(default)s',
    )
    add_out(
        parser,
        f'the table; what is above a line {MARK.strip()} is kept; default the console',
        required=False,
    )
    # Positional arguments may come before and after options.
    return parser.parse_intermixed_args()


def main(args):
    from imcnn_plugin.files import read_text, write_text
    from imcnn_plugin.paper import FORMATS, compare, read_measured_results, read_published

    text = FORMATS[args.format](compare(read_published(), read_measured_results(args.files), args.set))
    if args.out:
        page = read_text(args.out) if Path(args.out).is_file() else ''
        above, mark, _ = page.partition(MARK)
        write_text(args.out, f'{above}{mark}\n{text}' if mark else text)
        text = f'written to {args.out}\n'
    print(text, end='')


if __name__ == '__main__':
    run_tool(main, parse_args)
