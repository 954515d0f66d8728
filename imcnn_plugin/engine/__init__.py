"""Training and testing: configs, runners, hooks and loops."""

from .attribute_report_hook import VERSIONS, AttributeReportHook
from .bad_image_hook import BadImageHook
from .brief_log_processor import BriefLogProcessor
from .config import EVALUATION, LOADERS, load_config, localize_data, resolve_num_identities
from .data_model_check_hook import DataModelCheckHook, match_classes
from .deferred_logging_hooks import DeferredIterTimerHook, DeferredRuntimeInfoHook
from .distillation_preprocessor import DistillationPreprocessor
from .evaluation_data import build_dataset, build_image_split, build_split, evaluation_loader, evaluation_pipeline
from .face_visualization_hook import FaceVisualizationHook
from .feature_svm_loop import FeatureSVMLoop
from .finite_loss_hook import FiniteLossHook
from .flip_tta_loop import FlipTTALoop
from .interrupt_hook import InterruptHook
from .launch import init_cpu_processes, shutdown_distributed
from .malloc_tuning import keep_freed_memory
from .optim_wrappers import BF16OptimWrapper, NonBlockingOptimWrapper
from .performance_hook import PerformanceHook
from .pin_memory import pins_memory
from .progress_hook import ProgressHook
from .resumable_train_loop import ResumableTrainLoop
from .run_checkpoint_hook import RunCheckpointHook
from .step_seed_hook import StepSeedHook
from .sync_all_buffers_hook import SyncAllBuffersHook
from .train import build_runner, train_and_test
from .training_log import METRIC_PREFIX, Curve, TrainingLog, mean_by_key, read_epoch_log, read_log

__all__ = [
    'AttributeReportHook', 'BF16OptimWrapper', 'BadImageHook', 'BriefLogProcessor', 'Curve', 'DataModelCheckHook',
    'DeferredIterTimerHook', 'DeferredRuntimeInfoHook', 'DistillationPreprocessor', 'EVALUATION',
    'FaceVisualizationHook', 'FeatureSVMLoop', 'FiniteLossHook', 'FlipTTALoop', 'InterruptHook', 'LOADERS',
    'METRIC_PREFIX', 'NonBlockingOptimWrapper', 'PerformanceHook', 'ProgressHook', 'ResumableTrainLoop',
    'RunCheckpointHook', 'StepSeedHook', 'SyncAllBuffersHook', 'TrainingLog', 'VERSIONS', 'build_dataset',
    'build_image_split', 'build_runner', 'build_split', 'evaluation_loader', 'evaluation_pipeline',
    'init_cpu_processes', 'keep_freed_memory', 'load_config', 'localize_data', 'match_classes', 'mean_by_key',
    'pins_memory', 'read_epoch_log', 'read_log', 'resolve_num_identities', 'shutdown_distributed', 'train_and_test'
]  # fmt: skip
