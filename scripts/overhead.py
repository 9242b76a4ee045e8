"""What a run costs beside its model and its metrics, and how actors compare with one process.

    python scripts/overhead.py --prompts 160

Both make and score the same galleries, after a warm-up that loads every model. Two figures count:
the share of the wall time that `workers=local` spends outside model and metrics, and the throughput
of `workers=ray`, one actor a core, over that of `workers=local`. Run it on an idle machine.
"""

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from experiments.cell import Cell
from experiments.cells import cells_of
from experiments.compose import compose, rows_of


@dataclass(frozen=True)
class Spent:
    """Seconds: making the galleries, scoring them, and of these in model and in metrics."""

    making: float
    scoring: float
    model: float
    metrics: float

    @property
    def outside(self) -> float:
        """The share of the wall time outside model and metrics."""
        return 1 - (self.model + self.metrics) / (self.making + self.scoring)


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
    start = time.perf_counter()
    timed.generate()
    making = time.perf_counter() - start
    metrics = _watched(timed)
    start = time.perf_counter()
    timed.score()
    scoring = time.perf_counter() - start
    timed.workers.close()
    model = sum(sum(row.seconds.values()) for row in timed.committed_rows())
    return Spent(making, scoring, model, sum(metrics))


def _watched(cell: Cell) -> list[float]:
    """The seconds of every call of the cell's metrics, from here on."""
    seconds: list[float] = []
    attempt = cell.suite.attempt

    def watched(*arguments):
        start = time.perf_counter()
        try:
            return attempt(*arguments)
        finally:
            seconds.append(time.perf_counter() - start)

    cell.suite.attempt = watched
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=160)
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
    print(f"throughput of ray over local: {spent['local'].making / spent['ray'].making:.2f}")


if __name__ == "__main__":
    main()
