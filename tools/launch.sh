#!/usr/bin/env bash
# Starts a script of this folder in GPUS processes on each of NNODES machines; with no GPU at all, on CPUs over gloo.
# MAX_RESTARTS: how often all processes are restarted after one has failed; with --resume they go on.
# Usage: launch.sh SCRIPT GPUS [ARGUMENTS OF THE SCRIPT]
set -euo pipefail
script=$1 gpus=$2
shift 2
if ! [[ $gpus =~ ^[1-9][0-9]*$ ]]; then
    echo "The number of GPUs was expected, found '$gpus'." >&2
    exit 2
fi
python=${PYTHON:-python}
found=$("$python" -c 'import torch; print(torch.cuda.device_count())')
if [ "$found" -eq 0 ]; then
    echo "No GPU found: running $gpus CPU processes over gloo." >&2
    cores=$(nproc)
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((cores > gpus ? cores / gpus : 1))}
elif [ "$found" -lt "$gpus" ]; then
    echo "$gpus GPUs were asked for, but this machine has $found: ask for at most $found." >&2
    exit 1
fi
nodes=${NNODES:-1} node=${NODE_RANK:-0} address=${MASTER_ADDR:-127.0.0.1} port=${PORT:-29500}
if [ "${MAX_RESTARTS:-0}" -gt 0 ]; then
    # Each start gets a store of its own: a shared one still has the addresses of the processes before.
    export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
    meeting=(--max-restarts="$MAX_RESTARTS" --rdzv-backend=c10d --rdzv-id="$port" --rdzv-endpoint="$address:$port"
        --rdzv-conf="is_host=$((node == 0))")
else
    meeting=(--node-rank="$node" --master-addr="$address" --master-port="$port")
fi
if [ "$node" -eq 0 ] && ! "$python" -c "import socket; socket.create_server(('', $port)).close()" 2>/dev/null; then
    echo "Port $port is in use or cannot be used: set PORT to a free one, the same on all machines." >&2
    exit 1
fi
exec "$python" -m torch.distributed.run --nnodes="$nodes" --nproc-per-node="$gpus" "${meeting[@]}" \
    "$(dirname "$0")/$script" "$@" --launcher pytorch
