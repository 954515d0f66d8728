from typing import Optional

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

# Numbers are drawn for so many steps at once.
BLOCK = 1024


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seeds torch before each step from the run's seed, the process and the number of the step.

    What a step draws, its flips, crops and dropout, then depends on nothing that was before, so that a run which was
    stopped goes on as if it had not been.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        self.block = -1

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None) -> None:
        block, step = divmod(runner.iter, BLOCK)
        if block != self.block:
            self.block = block
            self.seeds = np.random.SeedSequence((runner.seed, get_rank(), block)).generate_state(BLOCK).tolist()
        # Not torch.manual_seed, which without a GPU takes a stack trace each time.
        torch.default_generator.manual_seed(self.seeds[step])
        if torch.cuda.is_available():
            torch.cuda.manual_seed(self.seeds[step])
