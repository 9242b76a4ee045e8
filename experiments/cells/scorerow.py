"""A score row: one gallery under one metric. Tables come from score rows alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from experiments.errors import UsageError

OWN = ("job", "prompt", "gallery", "metric", "value")


@dataclass(frozen=True)
class ScoreRow:
    """The score of one gallery.

    Attributes:
        job, prompt: of the gallery.
        gallery: the digest of its images; "" where none was kept.
        identity: what made the score (implementation, weights, library, dtype, device, ...), which
            with equal images means equal scores; and the suite that computed it.
    """

    job: str
    prompt: str
    gallery: str
    metric: str
    value: float
    identity: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Raises UsageError for an identity with a name that every score row has."""
        if taken := self.identity.keys() & {*OWN}:
            raise UsageError(f"{self.metric}: its identity may not be called {', '.join(taken)}")

    @classmethod
    def of_line(cls, line: Mapping[str, Any], shared: dict[str, Any]) -> Self:
        """The score row that `line` has written. Raises KeyError if it is none.

        shared: the identities of earlier lines, of which there are few.
        """
        rest = dict(line)
        fields = {name: rest.pop(name) for name in OWN}
        return cls(**fields, identity=shared.setdefault(repr(rest), rest))

    def line(self) -> dict[str, Any]:
        """The score row as flat JSON values."""
        fields = {name: value for name, value in vars(self).items() if name != "identity"}
        return fields | dict(self.identity)

    def is_current(self, gallery: str, identity: Mapping[str, Any]) -> bool:
        """Whether it is the score of exactly these images under exactly this metric."""
        return self.gallery == gallery and self.identity.items() >= identity.items()


def frame(rows: Iterable[ScoreRow], *, label: str, seed: int) -> pd.DataFrame:
    """Score rows as a table of them: a line each, the cell's label in the column `row`, its seed.

    Columns are sorted, so that it is the same whether scores were read back or just made.
    """
    lines = [{"weights": None, **row.line()} for row in rows]  # a score on pixels reads none
    return pd.DataFrame(lines).sort_index(axis="columns").assign(row=label, seed=seed)
