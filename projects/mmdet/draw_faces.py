"""Draws photos with the faces that a trained detector finds in them, and their attributes.

python projects/mmdet/draw_faces.py CONFIG CHECKPOINT PHOTO... --out-dir drawn
"""

import argparse
from pathlib import Path

from PIL import Image

from imcnn_cli import between, run_tool
from imcnn_plugin.apis import list_photos, read_photo
from imcnn_plugin.files import replacing
from imcnn_plugin.visualization import draw_faces


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('photos', nargs='+', metavar='PHOTO', help='files, or folders with everything in them')
    parser.add_argument('--out-dir', required=True)
    parser.add_argument('--score-thr', type=between(0, 1, float), default=0.5, help='default %(default)s')
    return parser.parse_args()


def describe(instances, classes, score_thr):
    """The faces of a photo in the form of :class:`~imcnn_plugin.apis.FaceAttributeInferencer`."""
    for face in instances[instances.scores >= score_thr].cpu():
        values = zip(classes, face.pred_score[0].tolist(), face.thresholds.tolist())
        yield dict(
            box=face.bboxes[0].tolist(),
            score=face.scores[0].item(),
            attributes={
                name: dict(probability=score, threshold=thr, label=score >= thr) for name, score, thr in values
            },
        )


def main():
    args = parse_args()
    # Not before the arguments are known to be right: importing it takes seconds.
    from mmdet.apis import DetInferencer

    inferencer = DetInferencer(args.config, args.checkpoint, show_progress=False)
    written = set()
    for path in list_photos(args.photos):
        photo = read_photo(path)
        [sample] = inferencer(photo, return_datasamples=True, no_save_vis=True)['predictions']
        faces = list(describe(sample.pred_instances, inferencer.model.dataset_meta['attributes'], args.score_thr))
        out, number = Path(args.out_dir, f'{Path(path).stem}.jpg'), 1
        # Photos of other folders may have the same name.
        while out in written:
            number += 1
            out = out.with_name(f'{Path(path).stem}_{number}.jpg')
        written.add(out)
        with replacing(out) as temporary:
            Image.fromarray(draw_faces(photo, faces)[..., ::-1]).save(temporary, format='jpeg', quality=90)
        print(f'{out}: {len(faces)} faces')


if __name__ == '__main__':
    run_tool(main)
