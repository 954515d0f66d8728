# The paper's schedule, computed faster: bfloat16, channels innermost, one kernel for the optimizer's step, compiled
# to CUDA graphs for batches of one size, and on a CPU without giving memory back between steps.
_base_ = ['./paper.py', '../default_runtime.py']
optim_wrapper = dict(type='BF16OptimWrapper', optimizer=dict(fused=True))
default_hooks = dict(
    speed=dict(channels_last=True, compile=dict(mode='reduce-overhead', dynamic=False), keep_memory=True)
)
