"""Measure how cost grows: gallery size, prompts, steps, lanes, and 100,000 galleries in a store.

    python scripts/scaling.py
    python scripts/scaling.py --only store --galleries 1000 100000

Writes scaling.csv and a figure. The store's galleries are synthetic; they and everything else that
is generated lie in a temporary folder.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from experiments.bench import scaling
from experiments.bench.growth_figure import growth
from experiments.bench.scaling import Point
from experiments.compose import build, compose
from experiments.workers.lanes import cores


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    parser.add_argument("--only", nargs="*", help="questions: size prompts steps lanes store")
    parser.add_argument("--galleries", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--prompts", type=int, nargs="*", default=[10, 100, 1000, 10_000])
    arguments = parser.parse_args()

    def model(num_steps: int):
        return build("model", compose(["model=tiny", f"model.num_steps={num_steps}"]))

    def lanes(folder: Path) -> list[Point]:
        return scaling.by_lanes(model(5), folder, [*dict.fromkeys((1, 2, cores()))])

    questions: dict[str, Callable[[Path], list[Point]]] = {
        "size": lambda folder: scaling.by_size(model(2), folder, (2, 4, 8, 16, 32, 64)),
        "prompts": lambda folder: scaling.by_prompts(folder, arguments.prompts),
        "steps": lambda folder: scaling.by_steps(
            {steps: model(steps) for steps in (1, 2, 5, 10, 25)}, folder
        ),
        "lanes": lanes,
        "store": lambda folder: scaling.store(folder, arguments.galleries),
    }
    points = []
    for name in arguments.only or questions:
        with tempfile.TemporaryDirectory() as scratch:
            points += questions[name](Path(scratch) / "cells")
        for point in points[-4:]:
            print(f"{name}: {point.curve} {point.x:g}: {point.seconds:.3g} s", flush=True)
    table = pd.DataFrame([asdict(point) for point in points])
    arguments.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.out / "scaling.csv", index=False, float_format="%.4g")
    growth(points, arguments.out / "scaling")
    print(table.to_markdown(index=False, floatfmt=".4g"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
