#!/usr/bin/env bash
# Tests in GPUS processes. On several machines, start it on each with NNODES, NODE_RANK, MASTER_ADDR and PORT set.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "Usage: dist_test.sh CONFIG CHECKPOINT GPUS [ARGUMENTS OF test.py]" >&2
    exit 2
fi
exec bash "$(dirname "$0")/launch.sh" test.py "$3" "$1" "$2" "${@:4}"
