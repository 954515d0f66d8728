from typing import Optional

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

# Seeds are drawn for this many steps at once.
_BLOCK = 1024


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seeds torch and NumPy before each step from the run's seed, the rank and the step number.

    The flips, crops, dropout and mixed images of a step then do not depend on earlier steps, so a resumed run
    continues exactly as if it had not been stopped.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        self.block = -1

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None) -> None:
        block, step = divmod(runner.iter, _BLOCK)
        if block != self.block:
            self.block = block
            sequence = np.random.SeedSequence((runner.seed, get_rank(), block))
            self.seeds = sequence.generate_state(_BLOCK).tolist()
        # mmpretrain's batch augmentations draw from NumPy's generator.
        np.random.seed(self.seeds[step])
        # Without a GPU, torch.manual_seed records a stack trace on each call.
        torch.default_generator.manual_seed(self.seeds[step])
        if torch.cuda.is_available():
            torch.cuda.manual_seed(self.seeds[step])
