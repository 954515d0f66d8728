import re

import pytest

from imcnn_plugin import progress
from imcnn_plugin.engine import build_runner


class Clock:
    """Each step takes 25 seconds."""

    now = 0.0

    def monotonic(self):
        return self.now


SILENT = [
    ('Training, steps', '3', '7', '2 min'),
    ('Training, steps', '6', '7', '25 s'),
    ('Validation, batches', '3', '4', '25 s'),
    ('Test, batches', '3', '4', '25 s'),
]


@pytest.mark.parametrize('interval, expected', [(50, SILENT), (1, [])])
def test_a_silent_minute_is_ended_by_a_line_with_the_time_left(small_cfg, monkeypatch, capfd, interval, expected):
    monkeypatch.setattr(progress, 'time', clock := Clock())
    small_cfg.train_cfg.max_epochs = 1
    small_cfg.default_hooks.logger.interval = interval
    small_cfg.val_dataloader.batch_size, small_cfg.test_dataloader.batch_size = 2, 4
    runner = build_runner(small_cfg)
    step = runner.model.__class__._run_forward

    def slow_step(*args, **kwargs):
        clock.now += 25
        return step(*args, **kwargs)

    monkeypatch.setattr(runner.model.__class__, '_run_forward', slow_step)
    runner.train()
    runner.test()
    out, err = capfd.readouterr()
    assert re.findall(r'- INFO - (.*): (\d+) of (\d+), about (.*) left', out + err) == expected
