from .attribute_report_hook import AttributeReportHook
from .bad_image_hook import BadImageHook
from .brief_log_processor import BriefLogProcessor
from .config import load_config, open_part
from .data_model_check_hook import FitCheckHook
from .deferred_logging import LeanIterTimerHook, LeanRuntimeInfoHook
from .descriptor_svm_loop import DescriptorSVMLoop
from .finite_loss_hook import FiniteLossHook
from .flip_tta_loop import MirrorTestLoop
from .interrupt_hook import InterruptHook
from .launch import leave_processes
from .lean_optim_wrapper import BF16OptimWrapper, LeanOptimWrapper
from .malloc_tuning import keep_freed_memory
from .performance_hook import ModelSpeedHook
from .resumable_train_loop import ResumableTrainLoop
from .run_checkpoint_hook import RunCheckpointHook
from .step_seed_hook import StepSeedHook
from .train import build_runner, train_and_test

__all__ = [
    'AttributeReportHook',
    'BF16OptimWrapper',
    'BadImageHook',
    'BriefLogProcessor',
    'DescriptorSVMLoop',
    'FiniteLossHook',
    'FitCheckHook',
    'InterruptHook',
    'LeanIterTimerHook',
    'LeanOptimWrapper',
    'LeanRuntimeInfoHook',
    'MirrorTestLoop',
    'ModelSpeedHook',
    'ResumableTrainLoop',
    'RunCheckpointHook',
    'StepSeedHook',
    'build_runner',
    'keep_freed_memory',
    'leave_processes',
    'load_config',
    'open_part',
    'train_and_test',
]
