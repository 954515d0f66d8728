#!/usr/bin/env bash
# Trains as a Slurm job. GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5), PORT (29500) and SRUN_ARGS come from the environment.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "Usage: slurm_train.sh PARTITION JOB_NAME CONFIG [ARGUMENTS OF train.py]" >&2
    exit 2
fi
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
export MASTER_PORT=${PORT:-29500}
# SRUN_ARGS may hold several arguments.
exec srun --partition "$1" --job-name "$2" --gres "gpu:$per_node" --ntasks "$gpus" --ntasks-per-node "$per_node" \
    --cpus-per-task "${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$(dirname "$0")/train.py" "$3" "${@:4}" --launcher slurm
