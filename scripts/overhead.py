"""What a run costs beside its model and its metrics, and how actors compare with one process.

    python scripts/overhead.py

Both make and score the same galleries, after a warm-up that loads every model. Three figures count:
the share of the wall time that `workers=local` spends outside model and metrics; its share for
coupling, committing and tracking, which is offline and comes once, when a cell is done; and the
throughput of `workers=ray`, one actor a core, over that of `workers=local`. For an idle machine.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.cells.build import cells_of
from experiments.compose import build, compose, plain, rows_of
from experiments.galleries.writer import Writer


@dataclass(frozen=True)
class Spent:
    """Seconds: making the galleries, scoring and tracking them, and of these in parts of it.

    Attributes:
        model, coupling: of all lanes together; lanes: how many there were.
        committing: of the processor, since lanes go on while a commit waits for the disk.
    """

    making: float
    scoring: float
    tracking: float
    model: float
    lanes: int
    coupling: float
    committing: float
    metrics: float

    @property
    def outside(self) -> float:
        """The share of the wall time outside model and metrics."""
        return 1 - (self.model / self.lanes + self.metrics) / (self.making + self.scoring)

    @property
    def added(self) -> float:
        """The share of the wall time for coupling, committing and tracking."""
        parts = (self.coupling + self.committing) / self.lanes + self.tracking
        return parts / (self.making + self.scoring + self.tracking)


def spend(folder: Path, *overrides: str, prompts: int, warm_up: int) -> Spent:
    """Makes and scores a cell with workers that are warm."""
    rows = {}
    for label, changes in {
        "warm-up": [f"task.num_prompts={warm_up}", "seed=1"],
        "timed": [f"task.num_prompts={prompts}"],
    }.items():
        here = [f"output_dir={folder}", f"results_dir={folder}", *overrides, *changes]
        (rows[label],) = rows_of(compose(here), here).values()
    warm, timed = cells_of(rows)
    warm.prepare()
    warm.generate()
    warm.score()
    committing = _watched(Writer, "commit", clock=time.thread_time)
    metrics = _watched(timed.suite, "attempt", clock=time.perf_counter)
    start = time.perf_counter()
    timed.generate()
    making = time.perf_counter() - start
    start = time.perf_counter()
    scores = timed.score()
    scoring = time.perf_counter() - start
    timed.workers.close()
    track = build("tracking", compose([*here, "tracking=wandb", "tracking.mode=offline"]))
    start = time.perf_counter()
    track([timed], scores, configs={timed.label: plain(rows["timed"])}, model="tiny")
    tracking = time.perf_counter() - start
    seconds = [row.seconds for row in timed.committed_rows()]
    return Spent(
        making=making,
        scoring=scoring,
        tracking=tracking,
        model=sum(sum(stages.values()) for stages in seconds),
        lanes=timed.workers.at_once(timed.recipe),
        coupling=sum(stages["couple"] for stages in seconds),
        committing=sum(committing),
        metrics=sum(metrics),
    )


def _watched(whose: Any, name: str, *, clock: Callable[[], float]) -> list[float]:
    """The seconds of every call of a method, from here on."""
    seconds: list[float] = []
    method = getattr(whose, name)

    def watched(*arguments, **named):
        start = clock()
        try:
            return method(*arguments, **named)
        finally:
            seconds.append(clock() - start)

    setattr(whose, name, watched)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=500, help="the paper has 500")
    parser.add_argument("--actors", type=int, default=os.cpu_count())
    parser.add_argument("override", nargs="*", help="of the main job, such as model.num_steps=10")
    asked = parser.parse_args()
    warm_up = 8 * asked.actors  # a batch each
    kinds = {"local": [], "ray": ["workers=ray", f"workers.num={asked.actors}"]}
    with tempfile.TemporaryDirectory() as folder:
        spent = {
            name: spend(
                Path(folder) / name,
                *kind,
                *asked.override,
                prompts=asked.prompts,
                warm_up=warm_up,
            )
            for name, kind in kinds.items()
        }
    for name, seconds in spent.items():
        rate = asked.prompts / seconds.making
        print(f"{name:6} {seconds.making:7.1f} s making, {seconds.scoring:6.1f} s scoring, "
              f"{rate:5.2f} galleries/s")  # fmt: skip
    print(f"outside model and metrics (local): {spent['local'].outside:.2%}")
    print(f"coupling, committing and tracking (local): {spent['local'].added:.2%}")
    print(f"throughput of ray over local: {spent['local'].making / spent['ray'].making:.2f}")


if __name__ == "__main__":
    main()
