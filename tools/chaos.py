"""Kills small trainings at random moments, resumes them and checks that they end to the last bit as if unharmed."""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.progress import track

from imcnn_plugin.apis import load_config
from imcnn_plugin.apis.chaos import Chaos
from imcnn_plugin.datasets.synthetic import write_faces
from imcnn_plugin.errors import IMCNNError

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--kills', type=int, default=5, help='default %(default)s')
    parser.add_argument('--seed', type=int, default=0, help='of the moments; default %(default)s')
    parser.add_argument('--out', help='where the runs go; default a temporary folder')
    return parser.parse_args()


def write_config(folder: Path) -> Path:
    """A tiny IMCNN on drawn faces with all that could make a difference: dropout, flips, EMA, bfloat16, workers."""
    faces = folder / 'faces'
    write_faces(faces, identities=20, images=4, seed=0, jobs=1)
    cfg = load_config(CONFIGS / 'imcnn_demo.py', data_root=str(faces))
    cfg.model.backbone.width = 1 / 16
    cfg.model.head.attr_head.update(in_channels=192, hidden_dims=(16, 16), dropout=0.5)
    cfg.model.head.id_head.update(in_channels=192, embedding_dims=8, num_identities=14)
    cfg.optim_wrapper.type = 'BF16OptimWrapper'
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.1))
    cfg.train_dataloader.update(batch_size=8, num_workers=1)
    cfg.val_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    cfg.train_cfg.max_epochs = cfg.param_scheduler.T_max = 3
    path = folder / 'chaos.py'
    cfg.dump(path)
    return path


def main():
    args = parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(args.out or temporary)
        out.mkdir(parents=True, exist_ok=True)
        try:
            chaos = Chaos(write_config(out), out, args.seed)
            chaos.run_whole()
            for number in track(range(args.kills), 'Killing'):
                chaos.run_killed(number)
        except IMCNNError as error:
            sys.exit(f'error: {error}')
    outcome = chaos.outcome
    print(', '.join(f'{kind}: {count}' for kind, count in outcome.kills.items()))
    print(f'{outcome.resumed} resumed, {len(outcome.differing)} differ, {len(outcome.lost)} lost a file.')
    if outcome.differing or outcome.lost:
        sys.exit('\n'.join([*outcome.differing, *outcome.lost]))


if __name__ == '__main__':
    main()
