"""The families of scenes: which program writes each, and how often it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from da_ros.training.scenes import bins, closeup, indoor, outdoor
from da_ros.training.scenes.builder import Builder


@dataclass(frozen=True)
class Family:
    """One sort of scene.

    Attributes:
        write: Fills a builder, camera and light included.
        share: How often it is drawn where nobody asks for a family; all shares add up to 1.
        outdoor: Whether its textures are as coarse as walls of houses and ground.
    """

    write: Callable[[Builder], None]
    share: float
    outdoor: bool = False


# The order decides which family a seed draws.
FAMILIES: Mapping[str, Family] = {
    "room": Family(indoor.room, 0.18),
    "corridor": Family(indoor.corridor, 0.07),
    "stairs": Family(indoor.stairs, 0.03),
    "tabletop": Family(closeup.tabletop, 0.12),
    "bin": Family(bins.bin_of_things, 0.30),
    "shelf": Family(closeup.facing_shelf, 0.09),
    "soup": Family(closeup.soup, 0.03),
    "street": Family(outdoor.street, 0.09, outdoor=True),
    "open": Family(outdoor.open_ground, 0.04, outdoor=True),
    "yard": Family(outdoor.yard, 0.05, outdoor=True),
}
