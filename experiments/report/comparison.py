"""Two folders of results beside each other: which numbers moved, and what changed in their making.

Tables are matched by their files. A number has moved where its mean differs by more than rounding
of the arithmetic: one part in 10^9. What may have moved it is what differs in the provenance of its
column (metric implementation, convention, weights, library, dtype, device) and in the settings of
its row.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.report.committed import Published, by_name
from experiments.report.overwriting import settings_of
from experiments.tables.grids import grid
from experiments.tables.wording import DASH

ROUNDING = 1e-9


@dataclass(frozen=True)
class Moved:
    """A mean of a table that is another in B than in A, or is in one of them alone (None)."""

    table: str
    row: str
    metric: str
    a: float | None
    b: float | None

    @property
    def by(self) -> str:
        if self.a is None or self.b is None:
            return f"only in {'A' if self.b is None else 'B'}"
        return f"{100 * (self.b / self.a - 1):+.2f} %" if self.a else f"{self.b - self.a:+.3g}"


def compare(a: Path, b: Path) -> tuple[list[Moved], list[str]]:
    """The means that moved from `a` to `b`, and what changed in their making, a line each.

    Raises:
        UsageError: one is no folder of results.
    """
    ours, theirs = (by_name(folder) for folder in (a, b))
    moved, changed = [], []
    for name in sorted(ours | theirs):
        if name not in ours or name not in theirs:
            changed.append(f"{name} is only in {'A' if name in ours else 'B'}")
            continue
        moved += _moved(name, ours[name], theirs[name])
        changed += [f"{name}: {line}" for line in _changed(ours[name], theirs[name])]
    return moved, changed


def report(a: Path, b: Path, *, names: tuple[str, str]) -> str:
    """What `compare` finds, as Markdown: what changed comes first. names: of A and of B."""
    moved, changed = compare(a, b)
    parts = [f"# {names[0]} (A) and {names[1]} (B)"]
    parts.append(f"Means that moved: {len(moved)}. Inputs that changed: {len(changed)}.")
    parts += ["## What changed in what made them", "\n".join(f"- {line}" for line in changed)]
    if moved:
        head = ["table", "row", "metric", "A", "B", "moved"]
        rows = [[m.table, m.row, m.metric, _text(m.a), _text(m.b), m.by] for m in moved]
        parts += ["## Which means moved", grid(head, rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _moved(name: str, a: Published, b: Published) -> list[Moved]:
    ours, theirs = (
        {(cell.row, cell.metric): cell.mean for cell in each.table.cells} for each in (a, b)
    )
    return [
        Moved(name, *key, ours.get(key), theirs.get(key))
        for key in {**ours, **theirs}
        if not _same(ours.get(key), theirs.get(key))
    ]


def _changed(a: Published, b: Published) -> list[str]:
    """A line for each difference, with the metrics or the rows that it is of; metrics first."""
    makings = [(each.table.provenance, each.made_by["configs"]) for each in (a, b)]
    (ours, our_rows), (theirs, their_rows) = makings
    both = [
        *((name, _texts(ours[name]), _texts(theirs[name])) for name in ours if name in theirs),
        *(
            (row, settings_of(our_rows[row]), settings_of(their_rows[row]))
            for row in our_rows
            if row in their_rows
        ),
    ]
    lines: dict[str, list[str]] = {}
    for name, then, now in both:
        for key in sorted({**then, **now}):
            was, now_is = then.get(key, DASH), now.get(key, DASH)
            if was != now_is:
                lines.setdefault(f"{key} was {was}, is {now_is}", []).append(name)
    found = [f"{line} ({', '.join(names)})" for line, names in lines.items()]
    unit, were, are = a.table.spec.unit, a.table.spec.jobs, b.table.spec.jobs
    return [*found, *([f"{unit}s: {were} were, {are} are"] if were != are else [])]


def _texts(made: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {field: " | ".join(values) or DASH for field, values in made.items()}


def _same(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=ROUNDING, abs_tol=ROUNDING)


def _text(value: float | None) -> str:
    return DASH if value is None else f"{value:.6g}"
