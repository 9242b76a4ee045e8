"""The galleries of the first prompts, the methods side by side: none is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from experiments.report.pictures import Picture, photo
from experiments.tables.results import Results
from experiments.tables.scorerows import pivot
from experiments.tables.spec import TableSpec


@dataclass(frozen=True)
class Strip:
    """One gallery; scores are (metric's label, value, difference to the baseline or "")."""

    method: str
    images: tuple[Picture, ...]
    scores: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Card:
    """A job under every method. `keys` are what it can be sorted by, in the wall's order."""

    title: str
    strips: tuple[Strip, ...]
    keys: tuple[float | None, ...]


@dataclass(frozen=True)
class Wall:
    """The cards of `shown` of `total` prompts; keys are (group, labels) in the order of a card."""

    cards: tuple[Card, ...]
    total: int
    keys: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def shown(self) -> int:
        return len(self.cards)


def wall(results: Results, *, galleries: int | None, pixels: int) -> Wall | None:
    """The galleries of the first prompts that any method has images of; None where there are none.

    Args:
        galleries: how many prompts are shown; None for all.
        pixels: larger images are reduced to as many on their longer side.
    """
    committed = {label: there.committed() for label, there in results.galleries.items()}
    shown = [job for job in results.jobs if any(job.id in rows for rows in committed.values())]
    if not shown[:galleries]:
        return None
    spec = results.table.spec
    numbers = _Numbers.of(results)
    cards = []
    for job in shown[:galleries]:
        strips = []
        for label, there in results.galleries.items():
            if job.id not in committed[label]:
                continue
            images = there.read(committed[label][job.id])
            what = f"image {{}} of {len(images)}, {label}: {job.title}"
            pictures = (
                photo(image, what.format(k), pixels=pixels)
                for k, image in enumerate(images, start=1)
            )
            strips.append(Strip(label, tuple(pictures), numbers.scores(job.id, label)))
        cards.append(Card(job.title, tuple(strips), numbers.keys(job.id)))
    labels = tuple(column.label for column in spec.columns.values())
    return Wall(tuple(cards), len(results.jobs), tuple((group, labels) for group in numbers.groups))


@dataclass(frozen=True)
class _Numbers:
    """Values of every metric by job and row, and their differences by job and tested pair."""

    spec: TableSpec
    values: dict[str, pd.DataFrame]
    differences: dict[str, dict[tuple[str, str], pd.Series]]

    @classmethod
    def of(cls, results: Results) -> "_Numbers":
        spec = results.table.spec
        values = {m: pivot(results.scores, m, rows=spec.rows) for m in spec.columns}
        differences = {
            metric: {pair: wide[pair[0]] - wide[pair[1]] for pair in spec.pairs}
            for metric, wide in values.items()
        }
        return cls(spec, values, differences)

    @property
    def groups(self) -> Sequence[str]:
        """What is sorted by: the effects of the tested pairs; where there are none, the rows."""
        return tuple(f"{row} – {base}" for row, base in self.spec.pairs) or self.spec.rows

    def keys(self, job: str) -> tuple[float | None, ...]:
        """What the card of a job is sorted by, six digits of it, a metric of a group each."""
        by_group: dict[str, Any] = self.differences if self.spec.pairs else self.values
        groups = self.spec.pairs or self.spec.rows
        found = [_at(by_group[m][group], job) for group in groups for m in self.spec.columns]
        return tuple(None if value is None else float(f"{value:.6g}") for value in found)

    def scores(self, job: str, row: str) -> tuple[tuple[str, str, str], ...]:
        """(metric's label, value, difference to the first baseline or "") of one gallery."""
        pairs = [(row, base) for base in self.spec.baselines.get(row, ())[:1]]
        found = []
        for metric, column in self.spec.columns.items():
            value = _at(self.values[metric][row], job)
            changes = [_at(self.differences[metric][pair], job) for pair in pairs]
            if value is not None:
                changed = "".join(f"{c:+z.{column.digits}f}" for c in changes if c is not None)
                found.append((column.label, f"{value:.{column.digits}f}", changed))
        return tuple(found)


def _at(column: pd.Series, job: str) -> float | None:
    """A job's value; None where it has none."""
    value = column.get(job)
    return None if value is None or pd.isna(value) else float(value)
