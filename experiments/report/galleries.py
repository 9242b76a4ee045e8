"""The galleries of the first prompts, the methods side by side: none is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from experiments.cell import Cell
from experiments.report.pictures import Picture, photo
from experiments.results import Results
from experiments.scorerows import pivot
from experiments.tables import TableSpec


@dataclass(frozen=True)
class Strip:
    """One gallery; scores are (metric's label, value, difference to the baseline or "")."""

    method: str
    images: tuple[Picture, ...]
    scores: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Card:
    """A prompt under every method. `keys` are what it can be sorted by, in the wall's order."""

    prompt: str
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
    """The galleries of the first prompts; None where no method has images.

    Args:
        galleries: how many prompts are shown; None for all.
        pixels: larger images are reduced to as many on their longer side.
    """
    cells = [cell for cell in results.cells if _has_images(cell)]
    if not cells or galleries == 0:
        return None
    spec = results.table.spec
    numbers = _Numbers.of(results)
    committed = {cell.label: cell.shown.committed() for cell in cells}
    jobs = cells[0].jobs
    cards = []
    for job in jobs[:galleries]:
        strips = []
        for cell in cells:
            images = cell.shown.read(committed[cell.label][job.id])
            what = f"image {{}} of {len(images)}, {cell.label}: {job.prompt}"
            pictures = (
                photo(image, what.format(k), pixels=pixels)
                for k, image in enumerate(images, start=1)
            )
            strips.append(Strip(cell.label, tuple(pictures), numbers.scores(job.id, cell.label)))
        cards.append(Card(job.prompt, tuple(strips), numbers.keys(job.id)))
    labels = tuple(column.label for column in spec.columns.values())
    groups = tuple(
        (f"{row} – {spec.baselines[row]}" if row in spec.baselines else row, labels)
        for row in numbers.sorted_by
    )
    return Wall(tuple(cards), len(jobs), groups)


def _has_images(cell: Cell) -> bool:
    committed = cell.shown.committed()
    return all(job.id in committed for job in cell.jobs)


@dataclass(frozen=True)
class _Numbers:
    """Values of every metric by job and row, and their differences to the row's baseline."""

    spec: TableSpec
    values: dict[str, pd.DataFrame]
    differences: dict[str, pd.DataFrame]

    @classmethod
    def of(cls, results: Results) -> "_Numbers":
        spec = results.table.spec
        values = {m: pivot(results.scores, m, rows=spec.rows) for m in spec.columns}
        differences = {
            metric: pd.DataFrame(
                {row: wide[row] - wide[base] for row, base in spec.baselines.items()}
            )
            for metric, wide in values.items()
        }
        return cls(spec, values, differences)

    @property
    def sorted_by(self) -> Sequence[str]:
        """The rows with a baseline, whose effects are sorted by; where there is none, all rows."""
        return [row for row in self.spec.rows if row in self.spec.baselines] or self.spec.rows

    def keys(self, job: str) -> tuple[float | None, ...]:
        """What the card of a job is sorted by, six digits of it."""
        frames = self.differences if self.spec.baselines else self.values
        found = [_at(frames[m], job, row) for row in self.sorted_by for m in self.spec.columns]
        return tuple(None if value is None else float(f"{value:.6g}") for value in found)

    def scores(self, job: str, row: str) -> tuple[tuple[str, str, str], ...]:
        """(metric's label, value, difference to the baseline or "") of one gallery."""
        found = []
        for metric, column in self.spec.columns.items():
            value = _at(self.values[metric], job, row)
            change = _at(self.differences[metric], job, row)
            if value is not None:
                changed = "" if change is None else f"{change:+z.{column.digits}f}"
                found.append((column.label, f"{value:.{column.digits}f}", changed))
        return tuple(found)


def _at(frame: pd.DataFrame, job: str, row: str) -> float | None:
    """A value of the frame; None where it has none."""
    if row not in frame or job not in frame.index or pd.isna(frame.at[job, row]):
        return None
    return float(frame.at[job, row])
