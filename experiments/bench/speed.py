"""The whole comparison of a model: every number is in the ledger before the next is measured."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from unittest.mock import patch

import pandas as pd

from experiments.bench import compare
from experiments.bench.ledger import Ledger, Line
from experiments.bench.subject import Subject
from experiments.bench.tasks import Bench, Task

CACHE = "TORCHINDUCTOR_CACHE_DIR"
COMPLETE = {"what": "complete"}
PICTURES = ["latents", "images", "worst", "gate"]


@dataclass(frozen=True)
class Speed:
    """What is known of a model so far.

    Attributes:
        setup: see `Subject.setup`.
        peak: FLOP/s of large matrix products and convolutions in the model's dtype.
        flops_of_a_gallery: operations that it takes.
        arms: see `compare.speeds`.
        stages: median seconds of a gallery.
        pictures: the `gate.Deviation` of each yardstick and arm, and what the gate says: "equal" or
            why it rejects it.
        overhead: see `overhead.overhead`; empty before it is measured.
        missing: what is still to be measured, in words; empty when all is.
    """

    setup: Line
    peak: float
    flops_of_a_gallery: int
    arms: pd.DataFrame
    stages: pd.DataFrame
    pictures: pd.DataFrame
    overhead: pd.DataFrame
    missing: str

    @property
    def rejected(self) -> list[str]:
        """The arms that make other pictures."""
        gate = self.pictures["gate"]
        return [name for name in gate.index if gate[name] not in ("", "equal")]


def measure(
    subject: Subject, *, rounds: int, folder: Path, budget: float = float("inf")
) -> Iterator[Speed]:
    """Compares the arms of a model, all jobs in every round; yields what is known, ever more.

    A comparison that was finished is begun anew.

    Args:
        folder: of the ledger; what it holds of the same setup is not measured again.
        budget: seconds, in which nothing is begun that is not expected to end in them.
    """
    until = perf_counter() + budget
    ledger = Ledger.opened(folder, setup=subject.setup(), complete=COMPLETE)
    with TemporaryDirectory() as scratch, patch.dict(os.environ, {CACHE: f"{folder}/compiled"}):
        bench = Bench(subject, ledger, Path(scratch))
        todo = [task for task in bench.tasks(rounds) if not any(ledger.of(**task.key))]
        for index, task in enumerate(todo):
            if perf_counter() + bench.expected(task) > until:
                return
            ledger.add(**task.key, **task.work())
            if any(ledger.of("round")):
                yield _speed(subject, ledger, todo[index + 1 :])
    ledger.add(**COMPLETE)
    yield _speed(subject, ledger, [])


def _speed(subject: Subject, ledger: Ledger, todo: Sequence[Task]) -> Speed:
    """What the lines of a ledger say together."""

    def lines(what: str) -> pd.DataFrame:
        return pd.DataFrame(ledger.of(what)).set_index("arm").drop(columns="what")

    (hardware,) = ledger.of("hardware")
    added = (line["frame"] for line in ledger.of("overhead"))
    rounds = lines("round").drop(columns="turn")
    pictures = lines("pictures") if any(ledger.of("pictures")) else pd.DataFrame(columns=PICTURES)
    stages = rounds.drop(columns=["memory", "seconds", "compiling"]).groupby("arm", sort=False)
    order = [name for name in (*subject.yardsticks, *subject.arms) if name in pictures.index]
    return Speed(
        setup=ledger.lines[0],
        peak=hardware["peak"],
        flops_of_a_gallery=hardware["flops"],
        arms=compare.speeds(
            subject.arms,
            rounds,
            rounds["compiling"].groupby("arm").first(),
            flops=hardware["flops"],
            peak=hardware["peak"],
        ),
        stages=stages.median().reindex([*subject.arms]).dropna(how="all"),
        pictures=pictures.loc[order],
        overhead=pd.DataFrame.from_dict(next(added, {}), orient="index"),
        missing=", ".join(map(str, todo)),
    )
