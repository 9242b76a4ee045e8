"""Arms taking turns: A B C ... C B A, again and again: a slow moment falls on all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from tqdm import tqdm

from experiments.bench.arms import Arm
from experiments.tasks.job import Job
from experiments.workers import memory as device_memory


@dataclass(frozen=True)
class Timing:
    """What the rounds of one arm took.

    Attributes:
        galleries: made in each round.
        seconds: of each round, from prompts to files.
        first: seconds of the first batch, compilation included, and later: of the same again.
        stages: median seconds of a gallery in each stage, in the thread that did it.
        memory: MiB at the peak: of the device in the rounds, or on a CPU of the process so far.
    """

    galleries: int
    seconds: tuple[float, ...]
    first: float
    later: float
    stages: Mapping[str, float]
    memory: float

    @property
    def per_gallery(self) -> float:
        """Median seconds of wall time."""
        return median(self.seconds) / self.galleries

    @property
    def rates(self) -> tuple[float, float, float]:
        """Galleries a second: the slowest round, the median, the fastest."""
        slow, fast = max(self.seconds), min(self.seconds)
        return self.galleries / slow, 1 / self.per_gallery, self.galleries / fast


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
    first, later = {}, {}
    for name, arm in tqdm(arms.items(), desc="warm up", unit="arm"):
        first[name], _ = _timed(arm, jobs[:warm_up], folder / name)
        later[name], _ = _timed(arm, jobs[:warm_up], folder / name)
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    stages: dict[str, list[Mapping[str, float]]] = {name: [] for name in arms}
    memory = dict.fromkeys(arms, 0.0)
    for turn in tqdm(range(rounds), desc="rounds"):
        for name in arms if turn % 2 == 0 else reversed(list(arms)):
            device_memory.reset_peak(device)
            taken, parts = _timed(arms[name], jobs, folder / name)
            memory[name] = max(memory[name], device_memory.peak(device))
            seconds[name].append(taken)
            stages[name].append(parts)
    return {
        name: Timing(
            galleries=len(jobs),
            seconds=tuple(seconds[name]),
            first=first[name],
            later=later[name],
            stages={
                stage: median(parts[stage] for parts in stages[name]) / len(jobs)
                for stage in stages[name][0]
            },
            memory=memory[name],
        )
        for name in arms
    }


def _timed(arm: Arm, jobs: Sequence[Job], folder: Path) -> tuple[float, Mapping[str, float]]:
    start = perf_counter()
    stages = arm.run(jobs, folder)
    return perf_counter() - start, stages
