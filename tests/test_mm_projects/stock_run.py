"""A project without ours trains an epoch, and resumes for a second one in a new runner.

Usage: stock_run.py CONFIG FOLDER with|without RANK
"""

import sys

from mmengine.config import Config
from mmengine.runner import Runner


def main():
    config, folder, with_import, _ = sys.argv[1:]
    if with_import == 'with':
        import imcnn_plugin  # noqa: F401
    cfg = Config.fromfile(config)
    cfg.work_dir = folder
    Runner.from_cfg(cfg).train()
    cfg.update(experiment_name='resumed', resume=True)
    cfg.train_cfg.max_epochs = 2
    Runner.from_cfg(cfg).train()


if __name__ == '__main__':
    main()
