#!/usr/bin/env bash
# Runs the whole test suite in .venv, which it makes where it is missing, a process for each core. Arguments go to pytest:
# -n 0 for one process alone.
# With --onedl as the first: on the maintained forks of mmengine, mmcv and mmpretrain, in .venv-onedl. With --mm: the tests in
# mmdet, mmsegmentation, mmpose and mmaction2 alone, in .venv-mm.
set -euo pipefail
imcnn_variant=
if [ "${1:-}" = --onedl ]; then
    imcnn_variant=-onedl
    shift
elif [ "${1:-}" = --mm ]; then
    imcnn_variant=-mm
    set -- tests/test_mm_projects "${@:2}"
fi
. "$(dirname "$0")/venv.sh"
# quickstart.sh does without them.
stamp=$(cksum < requirements-dev.txt)
if [ "$(cat "$venv/tests" 2>/dev/null)" != "$stamp" ]; then
    python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-dev.txt
    echo "$stamp" > "$venv/tests"
fi
# More threads than cores would wait for each other.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec python -m pytest -n auto --dist loadfile --no-loadscope-reorder "$@"
