# shellcheck shell=bash disable=SC2034
# Sourced by the scripts beside it: where things are, and an environment that no other ROS, venv or
# pip setting of the caller leaks into.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="${DA_ROS_VENV:-$ROOT/.venv}"
[[ "$VENV" == /* ]] || VENV="$PWD/$VENV" # the scripts change the folder
VENV_PYTHON="$VENV/bin/python"

unset VIRTUAL_ENV PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX
# A sourced /opt/ros would mix with the ROS wheels; the last one is theirs, set by another venv.
unset AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH ROS_DISTRO ROS_VERSION \
  ROS_PYTHON_VERSION LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
# torch's threads otherwise spin while they wait for each other; on a machine that is busy with other
# things too, the demo then takes ten times as long.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

say() { printf 'da_ros: %s\n' "$*" >&2; }
fail() {
  say "error: $*"
  exit 2
}
