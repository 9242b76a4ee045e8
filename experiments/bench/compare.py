"""Arms taking turns: A B C ... C B A, again and again: a slow moment falls on all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from tqdm import tqdm

from experiments.bench.arms import Arm
from experiments.tasks.job import Job
from experiments.workers import memory as device_memory


@dataclass
class Timing:
    """What the rounds of one arm took.

    Attributes:
        galleries: made in each round.
        warm_up: seconds of the first batch, compilation included, and of the same again.
        seconds: of each round, from prompts to files.
        parts: of each round, seconds by stage, in the thread that did it.
        memory: MiB at the peak: of the device in the rounds, or on a CPU of the process so far.
    """

    galleries: int
    warm_up: tuple[float, float]
    seconds: list[float] = field(default_factory=list)
    parts: list[Mapping[str, float]] = field(default_factory=list)
    memory: float = 0.0

    @property
    def per_gallery(self) -> float:
        """Median seconds of wall time."""
        return median(self.seconds) / self.galleries

    @property
    def rates(self) -> tuple[float, float, float]:
        """Galleries a second: the slowest round, the median, the fastest."""
        slow, fast = max(self.seconds), min(self.seconds)
        return self.galleries / slow, 1 / self.per_gallery, self.galleries / fast

    @property
    def stages(self) -> dict[str, float]:
        """Median seconds of a gallery in each stage."""
        each = {stage: [parts[stage] for parts in self.parts] for stage in self.parts[0]}
        return {stage: median(seconds) / self.galleries for stage, seconds in each.items()}

    @property
    def compiling(self) -> float:
        """Seconds that the first batch took beyond the second."""
        first, later = self.warm_up
        return max(0.0, first - later)


def compare(
    arms: Mapping[str, Arm],
    jobs: Sequence[Job],
    *,
    rounds: int,
    warm_up: int,
    folder: Path,
    device: torch.device,
) -> dict[str, Timing]:
    """Times every arm on the same jobs, `rounds` times in alternating order.

    Args:
        warm_up: how many jobs an arm makes before, twice; the first time it compiles.
        folder: where each arm leaves the files of its last round.
    """

    def timed(name: str, jobs: Sequence[Job]) -> tuple[float, Mapping[str, float]]:
        start = perf_counter()
        parts = arms[name].run(jobs, folder / name)
        return perf_counter() - start, parts

    timings = {}
    for name in tqdm(arms, desc="warm up", unit="arm"):
        first, later = (timed(name, jobs[:warm_up])[0] for _ in range(2))
        timings[name] = Timing(len(jobs), (first, later))
    for turn in tqdm(range(rounds), desc="rounds"):
        for name in arms if turn % 2 == 0 else reversed(list(arms)):
            device_memory.reset_peak(device)
            seconds, parts = timed(name, jobs)
            timing = timings[name]
            timing.memory = max(timing.memory, device_memory.peak(device))
            timing.seconds.append(seconds)
            timing.parts.append(parts)
    return timings
