"""Arms taking turns: A B C ... C B A, again and again: a slow moment falls on all of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd
import torch
from tqdm import tqdm

from experiments.bench.arms import Arm
from experiments.tasks.job import Job
from experiments.workers import memory


def compare(
    arms: Mapping[str, Arm],
    jobs: Sequence[Job],
    *,
    rounds: int,
    warm_up: int,
    folder: Path,
    device: torch.device,
) -> tuple[pd.DataFrame, pd.Series]:
    """Times every arm on the same jobs, `rounds` times in alternating order.

    Args:
        warm_up: how many jobs an arm makes before, twice; the first time it compiles.
        folder: where each arm leaves the files of its last round.

    Returns:
        A line for each round, by arm: `seconds` of a gallery, from prompts to files, those of each
        stage in the thread that did it, and the `memory` in MiB at the peak: of the device in the
        round, or on a CPU of the process so far. And by arm, the seconds that the first batch took
        beyond the second.
    """

    def timed(name: str, jobs: Sequence[Job]) -> dict[str, Any]:
        memory.reset_peak(device)
        start = perf_counter()
        stages = arms[name].run(jobs, folder / name)
        seconds = {"seconds": perf_counter() - start, **stages}
        each = {stage: taken / len(jobs) for stage, taken in seconds.items()}
        return {"arm": name, "memory": memory.peak(device), **each}

    compiling = {}
    for name in tqdm(arms, desc="warm up", unit="arm"):
        first, later = (timed(name, jobs[:warm_up])["seconds"] for _ in range(2))
        compiling[name] = max(0.0, first - later) * len(jobs[:warm_up])
    lines = []
    for turn in tqdm(range(rounds), desc="rounds"):
        lines += [timed(name, jobs) for name in list(arms)[:: -1 if turn % 2 else 1]]
    return pd.DataFrame(lines).set_index("arm"), pd.Series(compiling)


def speeds(
    arms: Mapping[str, Arm], rounds: pd.DataFrame, compiling: pd.Series, *, flops: int, peak: float
) -> pd.DataFrame:
    """What the rounds of `compare` say of each arm.

    `slowest`, `rate` (the median) and `fastest` are galleries a second; `images`, `flops` are those
    a second, `of_peak` their share of the hardware's. `over_reference`: times the faster eager arm
    of diffusers; `over_previous`: times the arm above; `repaid_after`: how many galleries make up
    for the seconds of `compile` against the arm above. None where nothing is compiled or saved.

    Args:
        flops: operations that a gallery takes; peak: those a second that the hardware can do.
    """
    taken = rounds.groupby("arm", sort=False)["seconds"]
    rate, saved = 1 / taken.median(), -taken.median().diff()
    eager = [name for name, arm in arms.items() if not arm.is_ours and not arm.compiled]
    compile = compiling[[name for name, arm in arms.items() if arm.compiled]]
    return pd.DataFrame(
        {
            "label": {name: arm.label for name, arm in arms.items()},
            "is_ours": {name: arm.is_ours for name, arm in arms.items()},
            "slowest": 1 / taken.max(),
            "rate": rate,
            "fastest": 1 / taken.min(),
            "images": rate * [arm.coupling.size for arm in arms.values()],
            "over_reference": rate / rate[eager].max(),
            "over_previous": rate / rate.shift(),
            "flops": rate * flops,
            "of_peak": rate * flops / peak,
            "memory": rounds.groupby("arm")["memory"].max(),
            "compile": compile,
            "repaid_after": compile / saved.where(saved > 0),
        }
    ).loc[list(arms)]


def stages(rounds: pd.DataFrame) -> pd.DataFrame:
    """Median seconds of a gallery in each stage, by arm; none where an arm has no such stage."""
    return rounds.drop(columns=["memory", "seconds"]).groupby("arm", sort=False).median()
