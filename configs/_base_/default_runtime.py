default_scope = 'mmpretrain'
custom_imports = dict(imports=['imcnn_plugin'], allow_failed_imports=False)

default_hooks = dict(
    # The lean ones cost the same at any step; a logged number is the mean since the last line.
    runtime_info=dict(type='LeanRuntimeInfoHook'),
    timer=dict(type='LeanIterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # A checkpoint of the full network is 2.7 GB: the last two and the best on the validation part are kept.
    checkpoint=dict(
        type='RunCheckpointHook', interval=1, max_keep_ckpts=2, save_best='attr/mean_accuracy', rule='greater'
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    speed=dict(type='ModelSpeedHook'),
)
custom_hooks = [
    # A step draws the same whether or not the run was stopped before it; asked to stop, the run saves a checkpoint.
    dict(type='StepSeedHook'),
    dict(type='InterruptHook'),
    dict(type='FitCheckHook'),
    dict(type='FiniteLossHook'),
    dict(type='BadImageHook'),
    dict(type='AttributeReportHook'),
    # Without synchronised batch normalisation each process has running statistics of its own: take their mean.
    dict(type='SyncBuffersHook'),
]
# Batch statistics over all GPUs, so that n processes compute what one would. Not used on CPUs, where torch lacks it.
sync_bn = 'torch'

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # Seconds after which processes that wait for one that is gone or hangs give up. The first one writes checkpoints
    # while the others wait: more where that takes a minute.
    dist_cfg=dict(backend='nccl', timeout=120),
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='UniversalVisualizer', vis_backends=vis_backends)
log_processor = dict(type='BriefLogProcessor', window_size=1)
log_level = 'INFO'
load_from = None
resume = False
# Processes shuffle alike, but flip, crop and drop out each in its own way.
randomness = dict(seed=0, diff_rank_seed=True)
