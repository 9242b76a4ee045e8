"""Who walks: processes side by side, each with models of its own."""

import shutil
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.rehearsal.stage import prepare_data, staged

if TYPE_CHECKING:  # the libraries load on the stage, and read there where their hub is
    from scripts.rehearsal.walk import Outcome

LAST = ("report", "figures", "verify")
"""Targets that need what the others have made."""
ALONE = ("bench",)
"""Targets that need nothing of the others."""

Pair = tuple[str, str]
"""A target and a model."""


def rehearse(
    folder: Path, plans: Sequence[Pair], walks: Sequence[Pair], after: Sequence[Path] = ()
) -> "tuple[list[Outcome], list[Outcome]]":
    """Plans and walks on a stage in `folder`, with what the stages of `after` have left."""
    with staged(folder) as stage:
        from scripts.rehearsal import walk

        for other in after:
            _take_over(other / "work", folder / "work")
        prepare_data(stage)
        planned = [_told("plan", walk.plan(*pair)) for pair in plans]
        return planned, [_told("walk", walk.walk(*pair)) for pair in walks]


def side_by_side(
    folder: Path, plans: Sequence[Pair], walks: Sequence[Pair], *, processes: int
) -> "tuple[list[Outcome], list[Outcome]]":
    """Deals the models out to as many processes; then, on what all of them have made, walks the
    targets that need it, and beside those the targets that need nothing. Whatever is walked at once
    is on a stage of its own.
    """
    asked = Counter(model for _, model in (*plans, *walks))
    dealt: list[set[str]] = [set() for _ in range(processes)]
    for model, _ in asked.most_common():
        min(dealt, key=lambda models: sum(asked[model] for model in models)).add(model)
    parts = [
        (
            folder / str(k),
            [pair for pair in plans if pair[1] in models],
            [pair for pair in walks if pair[1] in models and pair[0] not in (*LAST, *ALONE)],
        )
        for k, models in enumerate(dealt)
        if models
    ]
    # A library reads where its hub is once: every stage is a new process.
    spawn = get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn, max_tasks_per_child=1) as pool:
        dealers = [pool.submit(rehearse, *part) for part in parts]
        unneeding = [pair for pair in walks if pair[0] in ALONE]
        alone = [pool.submit(rehearse, folder / "alone", [], unneeding)] if unneeding else []
        done = [each.result() for each in dealers]
        made = [part[0] for part in parts]
        last = [(folder / pair[0], [], [pair], made) for pair in walks if pair[0] in LAST]
        last_ones = [pool.submit(rehearse, *part) for part in last]
        done += [each.result() for each in (*alone, *last_ones)]
    outcomes = [{(o.target, o.model): o for o in chain(*each)} for each in zip(*done, strict=True)]
    return [outcomes[0][pair] for pair in plans], [outcomes[1][pair] for pair in walks]


def _told(word: str, outcome: "Outcome") -> "Outcome":
    name = f"{word} {outcome.target:12}{outcome.model:6}"
    print(f"{name}{outcome.state:20}{outcome.seconds:6.1f} s  {outcome.line}", flush=True)
    return outcome


def _take_over(made: Path, into: Path) -> None:
    """Copies results, and the cells that are not there yet: two stages may have made the same."""
    if (made / "results").is_dir():
        shutil.copytree(made / "results", into / "results", dirs_exist_ok=True)
    for cell in (made / "outputs").iterdir():
        if not (into / "outputs" / cell.name).exists():
            shutil.copytree(cell, into / "outputs" / cell.name)
