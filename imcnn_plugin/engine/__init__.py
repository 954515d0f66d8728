from .attribute_report_hook import AttributeReportHook
from .bad_image_hook import BadImageHook
from .bf16_optim_wrapper import BF16OptimWrapper
from .brief_log_processor import BriefLogProcessor
from .descriptor_svm_loop import DescriptorSVMLoop
from .finite_loss_hook import FiniteLossHook
from .fit_check_hook import FitCheckHook
from .interrupt_hook import InterruptHook
from .kept_memory import keep_freed_memory
from .lean_hooks import LeanIterTimerHook, LeanRuntimeInfoHook
from .lean_optim_wrapper import LeanOptimWrapper
from .mirror_test_loop import MirrorTestLoop
from .model_speed_hook import ModelSpeedHook
from .resumable_train_loop import ResumableTrainLoop
from .run_checkpoint_hook import RunCheckpointHook
from .safe_globals import allow_mmengine_checkpoints
from .step_seed_hook import StepSeedHook
from .whole_file_backend import WholeFileBackend

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
    'WholeFileBackend',
    'allow_mmengine_checkpoints',
    'keep_freed_memory',
]
