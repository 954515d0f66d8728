# The paper's schedule, computed faster: bfloat16, channels_last memory format, a fused optimizer, compilation to CUDA
# graphs for a fixed batch size and, on a CPU, keeping freed memory between steps.
_base_ = ['./paper.py', '../default_runtime.py']
optim_wrapper = dict(type='BF16OptimWrapper', optimizer=dict(fused=True))
default_hooks = dict(
    speed=dict(channels_last=True, compile=dict(mode='reduce-overhead', dynamic=False), keep_memory=True)
)
