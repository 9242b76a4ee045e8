"""A finished table with what stands behind it: what every figure is drawn from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from coupling.drift import Drift
from experiments.cells.account import Account
from experiments.cells.score import Galleries
from experiments.errors import UsageError
from experiments.tables.table import Table
from experiments.tasks.job import Job


@dataclass(frozen=True)
class Results:
    """A table, the score rows that it was built from, and what may be looked at beside them.

    Attributes:
        jobs: of every table row, in order.
        galleries: by the label of a table row; of a published table they may not be here.
        drifts: of the noises of our own galleries, in the order of the jobs, by label.
        accounts: what went wrong on the way, of our own cells.
    """

    table: Table
    scores: pd.DataFrame
    jobs: Sequence[Job] = ()
    galleries: Mapping[str, Galleries] = field(default_factory=dict)
    drifts: Mapping[str, Sequence[Drift]] = field(default_factory=dict)
    accounts: Sequence[Account] = ()

    def images(self, label: str, jobs: Sequence[Job]) -> list[np.ndarray]:
        """The galleries of a table row, (K, H, W, 3) uint8 for each of `jobs`.

        Raises:
            UsageError: they are not here, or an image is not the one that was committed.
        """
        committed = self.committed(label)
        return [self.galleries[label].read(committed[job.id]) for job in jobs]

    def committed(self, label: str) -> Mapping[str, Any]:
        """The entries of a table row's galleries by job id. Raises UsageError if none are here."""
        if label not in self.galleries:
            raise UsageError(f"galleries of {label} are not here; run its experiment again")
        return self.galleries[label].committed()


Figure = Callable[[Results, Path], tuple[Path, ...]]
"""Draws results to a path, whose suffix gives way to those of the formats; returns the paths."""
