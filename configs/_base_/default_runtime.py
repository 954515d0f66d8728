default_scope = 'mmpretrain'
custom_imports = dict(imports=['imcnn_plugin'], allow_failed_imports=False)

default_hooks = dict(
    # The deferred ones cost the same at any step; a logged number is the mean since the last line.
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
    # A step is the same whether or not the run was stopped before it; a run that is asked to stop saves a checkpoint.
    step_seed=dict(type='StepSeedHook'),
    interrupt=dict(type='InterruptHook'),
    data_model_check=dict(type='DataModelCheckHook'),
    finite_loss=dict(type='FiniteLossHook'),
    bad_images=dict(type='BadImageHook'),
    attribute_report=dict(type='AttributeReportHook'),
    # Without synchronized batch normalization each process has its own running statistics: average them.
    sync_buffers=dict(type='SyncBuffersHook'),
)
# Yours, which are added to those above.
custom_hooks = []
# Batch statistics over all GPUs, so that n processes compute what one would. Not used on CPUs, where torch lacks it.
sync_bn = 'torch'

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # Seconds after which processes stop waiting for one that died or hangs. The first process writes checkpoints while
    # the others wait: increase it if that takes a minute.
    dist_cfg=dict(backend='nccl', timeout=120),
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='UniversalVisualizer', vis_backends=vis_backends)
log_processor = dict(type='BriefLogProcessor', window_size=1)
log_level = 'INFO'
load_from = None
resume = False
# Processes shuffle alike, but flip, crop and drop out independently.
randomness = dict(seed=0, diff_rank_seed=True)
