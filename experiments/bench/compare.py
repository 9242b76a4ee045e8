"""What the rounds of a comparison say of its arms."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter

import pandas as pd
import torch

from experiments.bench.arms import SIZE, Arm
from experiments.tasks.job import Job
from experiments.workers import memory


def timed(arm: Arm, jobs: Sequence[Job], folder: Path, *, device: torch.device) -> dict[str, float]:
    """Makes the galleries of a round, whose files stay in `folder`.

    Returns:
        `seconds` of a gallery, from prompt to files, those of each stage in the thread that did it,
        and the `memory` in MiB at the peak: of the device in the round, or on a CPU of the process
        so far.
    """
    memory.reset_peak(device)
    start = perf_counter()
    stages = arm.run(jobs, folder)
    seconds = {"seconds": perf_counter() - start, **stages}
    each = {stage: taken / len(jobs) for stage, taken in seconds.items()}
    return {"memory": memory.peak(device), **each}


def speeds(
    arms: Mapping[str, Arm], rounds: pd.DataFrame, compiling: pd.Series, *, flops: int, peak: float
) -> pd.DataFrame:
    """What the rounds, a line each by arm (see `timed`), say of every arm that has any.

    `slowest`, `rate` (the median) and `fastest` are galleries a second; `images`, `flops` are those
    a second, `of_peak` their share of the hardware's. `over_reference`: times the faster eager arm
    of diffusers; `over_previous`: times the arm before; `repaid_after`: how many galleries make up
    for the seconds of `compile` against the arm before. None where nothing is compiled or saved.

    Args:
        arms: all, in the order in which each is compared with the one before.
        compiling: by arm, the seconds that its first batch took beyond the second.
        flops: operations that a gallery takes; peak: those a second that the hardware can do.
    """
    taken = rounds.groupby("arm", sort=False)["seconds"]
    median = taken.median().reindex(list(arms))
    rate, saved = 1 / median, -median.diff()
    eager = [name for name, arm in arms.items() if not arm.is_ours and not arm.compiled]
    compile = compiling[[name for name in compiling.index if arms[name].compiled]]
    found = pd.DataFrame(
        {
            "label": {name: arm.label for name, arm in arms.items()},
            "is_ours": {name: arm.is_ours for name, arm in arms.items()},
            "slowest": 1 / taken.max(),
            "rate": rate,
            "fastest": 1 / taken.min(),
            "images": rate * SIZE,
            "over_reference": rate / rate[eager].max(),
            "over_previous": rate / rate.shift(),
            "flops": rate * flops,
            "of_peak": rate * flops / peak,
            "memory": rounds.groupby("arm")["memory"].max(),
            "compile": compile,
            "repaid_after": compile / saved.where(saved > 0),
        }
    )
    return found.loc[[name for name in arms if name in taken.groups]]
