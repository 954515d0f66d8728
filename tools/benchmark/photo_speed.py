"""Times inference from photos to attributes on one thread: reading, detection, alignment, prediction.

Variants run in turn, each in its own process: this package, its MTCNN detector in fp32, with --baseline another
version of the package, and with --jobs this package with that many worker processes, for which only wall time is
reported. Ratios are medians over rounds.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
from benchlib.report import (
    add_number,
    cells,
    format_seconds,
    make_benchmark_parser,
    print_table,
    run,
    speedup,
    summarize,
)

from imcnn_cli import add_checkpoint, between, parse_checkpoint_first, run_tool
from imcnn_plugin.apis import list_photos, read_photo
from imcnn_plugin.synthetic import write_photos

REPOSITORY = Path(__file__).resolve().parents[2]


def parse_args():
    parser = make_benchmark_parser(
        __doc__,
        'work_dirs/imcnn_celeba --photos photos',
        'work_dirs/imcnn_celeba --limit 20 --jobs 2 --out photos.json',
        rounds=5,
    )
    add_checkpoint(parser)
    parser.add_argument('--photos', metavar='DIR', help='folder of photos; default drawn ones')
    add_number(parser, '--limit', 40, 'number of photos')
    parser.add_argument(
        '--megapixels',
        type=between(0, kind=float),
        default=0,
        metavar='X',
        help='enlarge the photos to so many; default as they are',
    )
    parser.add_argument('--baseline', metavar='DIR', help='a folder with another version of this package')
    parser.add_argument('--jobs', type=between(2), metavar='N', help='number of worker processes to time as well')
    return parse_checkpoint_first(parser)


def start(checkout, args, photos, **options):
    environment = {**os.environ, 'PYTHONPATH': str(checkout), 'OMP_NUM_THREADS': '1'}
    script = REPOSITORY / 'tools' / 'benchmark' / 'benchlib' / 'photo_process.py'
    command = [sys.executable, '-W', 'ignore', str(script), args.checkpoint, json.dumps(options), *map(str, photos)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def write_enlarged(photos, pixels, folder):
    """Writes copies of photos with this number of pixels as JPEG files."""
    for number, path in enumerate(photos):
        image = read_photo(path)
        factor = (pixels / (image.shape[0] * image.shape[1])) ** 0.5
        enlarged = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f'{number:06}.jpg'), enlarged, [cv2.IMWRITE_JPEG_QUALITY, 90])
        yield folder / f'{number:06}.jpg'


def measure(args, folder):
    if not args.photos:
        write_photos(folder / 'drawn', args.limit, jobs=1)
    photos = list(list_photos(args.photos or folder / 'drawn' / 'photos'))
    photos = photos[:: max(1, len(photos) // args.limit)][: args.limit]
    if args.megapixels:
        photos = list(write_enlarged(photos, args.megapixels * 1e6, folder))
    processes = {'this package': start(REPOSITORY, args, photos)}
    processes['MTCNN, fp32'] = start(REPOSITORY, args, photos, detector='mtcnn', precision='fp32')
    if args.baseline:
        processes['baseline'] = start(args.baseline, args, photos)
    if args.jobs:
        processes[f'{args.jobs} jobs'] = start(REPOSITORY, args, photos, jobs=args.jobs)
    found = {name: [] for name in processes}
    # Round -1 is a warm-up that opens networks and starts processes.
    for number in range(-1, args.rounds):
        for name, process in processes.items():
            print(number, file=process.stdin, flush=True)
            line = process.stdout.readline()
            if not line:
                sys.exit(f'error: {name} has ended with status {process.wait()}')
            if number >= 0:
                found[name].append(json.loads(line))
    for process in processes.values():
        process.communicate()
    rows = []
    for name, rounds in found.items():
        wall, cpu = ([values[key] / len(photos) for values in rounds] for key in ('wall', 'cpu'))
        ours = [[values[key] for values in found['this package']] for key in ('wall', 'cpu')]
        row = dict(variant=name, photos=len(photos), with_face=rounds[0]['with_face'])
        row.update(wall=summarize(wall), wall_ratio=speedup([value['wall'] for value in rounds], ours[0]))
        if not name.endswith('jobs'):
            row.update(cpu=summarize(cpu), cpu_ratio=speedup([value['cpu'] for value in rounds], ours[1]))
        rows.append(row)
    print_table(
        [
            ['variant', 'photos', 'with a face', 'wall time a photo', 'of ours', 'CPU time a photo', 'of ours'],
            *(
                [row['variant'], *cells(row, photos='', with_face=''), format_seconds(row['wall']['median'])]
                + cells(row, wall_ratio='.2f')
                + [format_seconds(row['cpu']['median']) if 'cpu' in row else '-', *cells(row, cpu_ratio='.2f')]
                for row in rows
            ),
        ]
    )
    return dict(variants=rows)


def main():
    run(measure, parse_args())


if __name__ == '__main__':
    run_tool(main)
