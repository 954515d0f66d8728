from .attribute_report_hook import AttributeReportHook
from .bf16_optim_wrapper import BF16OptimWrapper
from .brief_log_processor import BriefLogProcessor
from .fit_check_hook import FitCheckHook
from .lean_hooks import LeanIterTimerHook, LeanRuntimeInfoHook
from .lean_optim_wrapper import LeanOptimWrapper
from .model_speed_hook import ModelSpeedHook
from .run_checkpoint_hook import RunCheckpointHook
from .safe_globals import allow_mmengine_checkpoints

__all__ = [
    'AttributeReportHook',
    'BF16OptimWrapper',
    'BriefLogProcessor',
    'FitCheckHook',
    'LeanIterTimerHook',
    'LeanOptimWrapper',
    'LeanRuntimeInfoHook',
    'ModelSpeedHook',
    'RunCheckpointHook',
    'allow_mmengine_checkpoints',
]
