"""Two folders of results beside each other: which numbers moved, and what changed in their making.

Tables are matched by their files. A number has moved where its mean differs by more than rounding
of the arithmetic: one part in 10^9. What may have moved it is what differs in the provenance of its
column (metric implementation, convention, weights, library, dtype, device) and in the settings of
its row.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from experiments.report.committed import Published, published
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
    ours, theirs = ({_name(each, of): each for each in published(of)} for of in (a, b))
    moved, changed = [], []
    for name in sorted(ours | theirs):
        if name not in ours or name not in theirs:
            changed.append(f"{name} is only in {'A' if name in ours else 'B'}")
            continue
        moved += _moved(name, ours[name], theirs[name])
        changed += [f"{name}: {line}" for line in _changed(ours[name], theirs[name])]
    return moved, changed


def report(a: Path, b: Path) -> str:
    """What `compare` finds, as Markdown: what changed comes first."""
    moved, changed = compare(a, b)
    parts = [f"# {a} (A) and {b} (B)"]
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
    """Metrics first, then the settings of rows, those that several rows share once."""
    lines = []
    for metric in a.table.provenance.keys() & b.table.provenance.keys():
        ours, theirs = a.table.provenance[metric], b.table.provenance[metric]
        for field in sorted({**ours, **theirs}):
            if (was := ours.get(field, ())) != (now := theirs.get(field, ())):
                lines.append(f"{metric}: {field} was {_joined(was)}, is {_joined(now)}")
    rows: dict[str, list[str]] = {}
    for row in a.made_by["configs"].keys() & b.made_by["configs"].keys():
        then, today = (settings_of(each.made_by["configs"][row]) for each in (a, b))
        for key in sorted({**then, **today}):
            if then.get(key) != today.get(key):
                line = f"{key} was {then.get(key, DASH)}, is {today.get(key, DASH)}"
                rows.setdefault(line, []).append(row)
    if a.table.spec.jobs != b.table.spec.jobs:
        lines.append(f"{a.table.spec.unit}s: {a.table.spec.jobs} were, {b.table.spec.jobs} are")
    return sorted(lines) + [f"{line} ({', '.join(sorted(of))})" for line, of in rows.items()]


def _same(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=ROUNDING, abs_tol=ROUNDING)


def _name(of: Published, folder: Path) -> str:
    return of.path.relative_to(folder).with_suffix("").as_posix()


def _joined(values: tuple[str, ...]) -> str:
    return " | ".join(values) or DASH


def _text(value: float | None) -> str:
    return DASH if value is None else f"{value:.6g}"
