"""What a run over a bag did, counted and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from da_ros.types import StageTimes

_REASONS = 100
"""Different reasons that are kept: a report must not grow with the recording."""
_MOMENTS, _MOMENTS_SAID = 100, 3
"""Messages of each reason that are named, in the manifest and in words."""

_COUNTERS = ("read", "copied", "added", "stage_ms", "busy")
_PAIRS = ("failures", "notes", "lost")
_NUMBERS = ("images", "done", "failed_images", "skipped", "seconds")


@dataclass
class BagReport:
    """What was done.

    Attributes:
        read: Messages of the source, by topic.
        copied: Messages passed through, by topic.
        added: Messages made, by topic.
        images: Images that were to be done.
        skipped: Images passed over, as ``every`` says.
        done: Images that were done.
        failed_images: Images that could not be.
        failures: Images or camera_info that could not be used, by topic and reason.
        moments: When the first of each of these were recorded [ns].
        notes: Images whose outputs are incomplete, by topic and reason.
        lost: Messages that could not be read, by topic and reason.
        stopped: Why the source could not be read to its end; empty if it could.
        seconds: Wall-clock time.
        stage_ms: Milliseconds in each stage of the pipeline, summed over the images.
        busy: Seconds that each thread of the run has worked.
    """

    read: Counter[str] = field(default_factory=Counter)
    copied: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)
    images: int = 0
    skipped: int = 0
    done: int = 0
    failed_images: int = 0
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    moments: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)
    lost: Counter[tuple[str, str]] = field(default_factory=Counter)
    stopped: str = ""
    seconds: float = 0.0
    stage_ms: Counter[str] = field(default_factory=Counter)
    busy: Counter[str] = field(default_factory=Counter)

    @property
    def complete(self) -> bool:
        """Whether every image was done and the whole source read."""
        return not self.failures and not self.stopped and not self.lost

    def fail_image(self, topic: str, timestamp: int, error: Exception) -> None:
        """Count an image that could not be done; ``timestamp``: when it was recorded [ns]."""
        self.failed_images += 1
        self.fail(topic, timestamp, error)

    def fail(self, topic: str, timestamp: int, error: Exception) -> None:
        """Count a message that could not be used; reasons that are all different become one."""
        reason = str(error)
        if (topic, reason) not in self.failures and len(self.failures) >= _REASONS:
            reason = "other reasons"
        self.failures[topic, reason] += 1
        moments = self.moments.setdefault((topic, reason), [])
        if len(moments) < _MOMENTS:
            moments.append(timestamp)

    def add_times(self, times: StageTimes) -> None:
        """Add what one image took."""
        self.stage_ms.update(asdict(times))

    def state(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        made: dict[str, Any] = {name: getattr(self, name) for name in _NUMBERS}
        made |= {name: dict(getattr(self, name)) for name in _COUNTERS}
        for name in _PAIRS:
            made[name] = [[*key, count] for key, count in sorted(getattr(self, name).items())]
        made["moments"] = [[*key, moments] for key, moments in sorted(self.moments.items())]
        return made | {"stopped": self.stopped}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> BagReport:
        """Read back what ``state`` gave."""
        found: dict[str, Any] = {name: Counter(state[name]) for name in _COUNTERS}
        found |= {name: Counter({(a, b): n for a, b, n in state[name]}) for name in _PAIRS}
        found |= {name: state[name] for name in (*_NUMBERS, "stopped")}
        found["moments"] = {(a, b): list(moments) for a, b, moments in state["moments"]}
        return cls(**found)

    def lines(self) -> Iterator[str]:
        """Say it: topics, images, failures."""
        width = max((len(topic) for topic in [*self.read, *self.added]), default=0)
        for topic in sorted(self.read):
            yield f"  {topic:<{width}}  {self.read[topic]:>7} in  {self.copied[topic]:>7} out"
        for topic in sorted(self.added):
            yield f"  {topic:<{width}}  {'':>7}     {self.added[topic]:>7} out  new"
        rate = self.done / self.seconds if self.seconds else 0.0
        yield f"{self.done} of {self.images} images in {self.seconds:.1f} s ({rate:.1f} frames/s)"
        if self.skipped:
            yield f"{self.skipped} images passed over, as --every says"
        if self.done:
            share = (
                f"{name.removesuffix('_ms')} {total / self.done:.1f}"
                for name, total in self.stage_ms.items()
            )
            yield f"ms per image: {', '.join(share)}"
        yield from self.faults()

    def faults(self) -> Iterator[str]:
        """Say what failed, what is incomplete, and what could not be read."""
        for (topic, reason), count in sorted(self.failures.items()):
            yield f"failed: {count} x {topic}: {reason} ({self._when(topic, reason, count)})"
        for (topic, reason), count in sorted(self.notes.items()):
            yield f"incomplete: {count} x {topic}: {reason}"
        for (topic, reason), count in sorted(self.lost.items()):
            where = f"{count} messages of {topic}" if topic else "an unknown number of messages"
            yield f"lost: {where}: {reason}"
        if self.stopped:
            yield f"the bag could be read no further than this: {self.stopped}"

    def _when(self, topic: str, reason: str, count: int) -> str:
        first = self.moments[topic, reason][:_MOMENTS_SAID]
        said = ", ".join(f"{ns // 10**9}.{ns % 10**9:09d}" for ns in first)
        return f"recorded at {said}{', ...' if count > len(first) else ''}"
