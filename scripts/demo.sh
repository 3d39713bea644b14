#!/usr/bin/env bash
# See da_ros work on this machine: `bash scripts/demo.sh [OUT]`, default out/demo of this checkout.
#
# Makes .venv where there is none, then runs the demo (a rendered sequence with known depth) and the
# photo command on photos that scikit-image ships. A second run only redoes the pictures.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

mkdir -p "${1:-$ROOT/out/demo}"
OUT="$(cd "${1:-$ROOT/out/demo}" && pwd)"

bash "$ROOT/scripts/setup_venv.sh"
PHOTOS="$("$VENV_PYTHON" -c 'import pathlib, skimage; print(pathlib.Path(skimage.__file__).parent)')/data"
DA_ROS="$VENV/bin/da_ros"

say "a rendered sequence, held against its true depth"
"$DA_ROS" demo -o "$OUT/sequence"
say "three photos"
"$DA_ROS" image "$PHOTOS/motorcycle_left.png" "$PHOTOS/coffee.png" "$PHOTOS/rocket.jpg" \
  -o "$OUT/photos"

say "done in $SECONDS s. Pages to open in a browser, then bags (for RViz, Foxglove, ros2 bag play):"
find "$OUT" -name '*.html' | sort
find "$OUT" -name metadata.yaml -exec dirname {} + | sort
