"""What every test shares: the tree under test, quiet ROS, one thread per worker, the real data."""

from __future__ import annotations

import os
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]

FIRST_DOMAIN, DOMAINS = 1, 100
"""Domains above 101 use ports that Linux hands out to others; 0 is everybody's default."""


def ros_domain(run: str, worker: str) -> int:
    """Domain of one test process; workers of a run differ, and two runs at once hardly meet."""
    number = int(worker.removeprefix("gw")) if worker else 0
    return FIRST_DOMAIN + (zlib.crc32(run.encode()) + number) % DOMAINS


def isolated_environment() -> dict[str, str]:
    """Variables for this process and all its children.

    Discovery stays on this machine, the code under test is the source tree (an installed copy only
    lends its generated ``da_ros.msg``), and a worker takes one core.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    profile = str(REPOSITORY / "config" / "fastdds_shm.xml")
    paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    variables = {
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOCALHOST_ONLY": "1",  # the same for Humble
        "ROS_DOMAIN_ID": str(ros_domain(run, worker)),
        "FASTRTPS_DEFAULT_PROFILES_FILE": profile,
        "FASTDDS_DEFAULT_PROFILES_FILE": profile,  # the same for Kilted
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }
    if Path(sys.prefix, "share", "ament_index").is_dir():
        # The ROS wheels do not say where they are.
        variables["AMENT_PREFIX_PATH"] = os.environ.get("AMENT_PREFIX_PATH", sys.prefix)
    if worker:
        variables |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return variables


# A busy machine makes no example wrong, and what one run draws every run draws; to look for new
# examples: `--hypothesis-profile default`.
settings.register_profile("da_ros", deadline=None, derandomize=True)
settings.load_profile("da_ros")

# Before any test module is imported, since torch and DDS read these once.
os.environ.update(isolated_environment())


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the source tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real photos, bags and depth; tests that need it skip where it is absent."""
    named = os.environ.get("DA_ROS_SHARED_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (say where it is with DA_ROS_SHARED_DATA)")
    return folder


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Draw the same numbers in every run: a failure then shows again, alone or among others."""
    np.random.seed(0)  # noqa: NPY002  # the state that third-party code draws from
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
