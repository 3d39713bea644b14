"""What a run over a bag did, counted and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from da_ros.types import StageTimes


@dataclass
class BagReport:
    """What was done.

    Attributes:
        copied: Messages passed through, by topic.
        added: Messages made, by topic.
        images: Images that were to be done.
        done: Images that were done.
        failed_images: Images that could not be.
        failures: Images or camera_info that could not be used, by topic and reason.
        notes: Images whose outputs are incomplete, by topic and reason.
        stopped: Why the source could not be read to its end; empty if it could.
        seconds: Wall-clock time.
        stage_ms: Milliseconds in each stage, summed over the images.
    """

    copied: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)
    images: int = 0
    done: int = 0
    failed_images: int = 0
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)
    stopped: str = ""
    seconds: float = 0.0
    stage_ms: Counter[str] = field(default_factory=Counter)

    @property
    def complete(self) -> bool:
        """Whether every image was done and the whole source read."""
        return not self.failures and not self.stopped

    def fail_image(self, topic: str, error: Exception) -> None:
        """Count an image that could not be done."""
        self.failed_images += 1
        self.failures[topic, str(error)] += 1

    def add_times(self, times: StageTimes) -> None:
        """Add what one image took."""
        self.stage_ms.update(asdict(times))

    def lines(self) -> Iterator[str]:
        """Say it: topics, images, failures."""
        width = max((len(topic) for topic in [*self.copied, *self.added]), default=0)
        for topic in sorted(self.copied):
            count = self.copied[topic]
            yield f"  {topic:<{width}}  {count:>7} in  {count:>7} out"
        for topic in sorted(self.added):
            yield f"  {topic:<{width}}  {'':>7}     {self.added[topic]:>7} out  new"
        rate = self.done / self.seconds if self.seconds else 0.0
        yield f"{self.done} of {self.images} images in {self.seconds:.1f} s ({rate:.1f} frames/s)"
        if self.done:
            share = (
                f"{name.removesuffix('_ms')} {total / self.done:.1f}"
                for name, total in self.stage_ms.items()
            )
            yield f"ms per image: {', '.join(share)}"
        for (topic, reason), count in sorted(self.failures.items()):
            yield f"failed: {count} x {topic}: {reason}"
        for (topic, reason), count in sorted(self.notes.items()):
            yield f"incomplete: {count} x {topic}: no camera_info and no points: {reason}"
        if self.stopped:
            yield f"the bag could be read no further than this: {self.stopped}"
