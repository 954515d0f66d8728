#!/usr/bin/env bash
# Runs the whole test suite in .venv, which it makes where it is missing. Arguments go to pytest.
set -euo pipefail
. "$(dirname "$0")/venv.sh"
exec python -m pytest "$@"
