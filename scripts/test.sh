#!/usr/bin/env bash
# Set up what is missing and run the whole test suite: `bash scripts/test.sh [pytest arguments]`.
#
# `-m "not slow"` leaves out builds, kills and training. DA_ROS_TEST_WORKERS: processes, default 2.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

bash "$ROOT/scripts/setup_venv.sh" --tests
cd "$ROOT"
# The tests of one file share a worker, so that what a module fixture builds is built once.
# What DDS has not brought within a minute and a half is waited for once more, and pytest says so (R).
exec "$VENV_PYTHON" -m pytest -n "${DA_ROS_TEST_WORKERS:-2}" --dist loadfile --durations 10 \
  --reruns 1 --only-rerun 'not within [0-9]+ s' "$@"
