#!/usr/bin/env bash
# Trains in GPUS processes. On several machines, start it on each with NNODES, NODE_RANK, MASTER_ADDR and PORT set.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "Usage: dist_train.sh CONFIG GPUS [ARGUMENTS OF train.py]" >&2
    exit 2
fi
exec bash "$(dirname "$0")/launch.sh" train.py "$2" "$1" "${@:3}"
