default_scope = 'mmpretrain'
custom_imports = dict(imports=['imcnn_plugin'], allow_failed_imports=False)

default_hooks = dict(
    # The cost of the deferred hooks does not grow during a run. Logged values are means since the last log line.
    runtime_info=dict(type='DeferredRuntimeInfoHook'),
    timer=dict(type='DeferredIterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # A checkpoint of the full network is 2.7 GB: keep the last two and the best on the validation split.
    checkpoint=dict(
        type='RunCheckpointHook', interval=1, max_keep_ckpts=2, save_best='attr/mean_accuracy', rule='greater'
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # enable=True draws images with their labels and predictions, see docs/figures.md.
    visualization=dict(type='FaceVisualizationHook', enable=False),
    speed=dict(type='PerformanceHook'),
    # Seed every step, so that resumed runs are reproducible, and save a checkpoint when the run is asked to stop.
    step_seed=dict(type='StepSeedHook'),
    interrupt=dict(type='InterruptHook'),
    data_model_check=dict(type='DataModelCheckHook'),
    finite_loss=dict(type='FiniteLossHook'),
    bad_images=dict(type='BadImageHook'),
    attribute_report=dict(type='AttributeReportHook'),
    # Without synchronized batch normalization, each process has its own running statistics; average them.
    sync_buffers=dict(type='SyncAllBuffersHook'),
)
# Your own hooks, in addition to those above.
custom_hooks = []
# Synchronize batch statistics over all GPUs, so that n processes compute the same as one. Unavailable on CPUs.
sync_bn = 'torch'

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # Seconds until processes stop waiting for one that died or hangs. While the main process writes a checkpoint, the
    # others wait: increase the timeout if writing takes a minute.
    dist_cfg=dict(backend='nccl', timeout=120),
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='UniversalVisualizer', vis_backends=vis_backends)
log_processor = dict(type='BriefLogProcessor', window_size=1)
log_level = 'INFO'
load_from = None
resume = False
# All processes share the shuffling seed, but flips, crops and dropout are independent.
randomness = dict(seed=0, diff_rank_seed=True)
