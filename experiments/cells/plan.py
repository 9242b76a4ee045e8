"""plan=true: what a run would make and score, why, in what time, with what memory. Makes nothing.

A cell is new because one of its inputs is; which one shows against the nearest cell that there is.
Times and memory are those of galleries that were made here before, with the same model on the same
kind of device; where there are none, nobody can tell.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from statistics import median
from typing import Any

from experiments.cells import score
from experiments.cells.cell import Cell
from experiments.galleries.archive import Archive
from experiments.galleries.manifest import Entry
from experiments.workers.provenance import provenance

LONG = 40  # characters of a value that is told


def plan(cell: Cell) -> Iterator[str]:
    """The lines that tell of a cell."""
    missing = cell.missing()
    if missing:
        count = f"{len(missing)} of {len(cell.jobs)} galleries"
        yield f"{cell.label}: {count} to generate, {_why(cell)}"
        yield f"{cell.label}: {_cost(cell, len(missing))}"
    else:
        yield f"{cell.label}: {len(cell.jobs)} galleries, nothing to generate"
    there = cell.galleries.committed()
    rows = [there[job.id] for job in cell.jobs if job.id in there]
    known = score.read(cell.score_file)
    todo: dict[str, list[Any]] = {}
    for metrics, unscored in score.unscored(rows, cell.suite, known).items():
        for metric in metrics:
            todo.setdefault(metric, []).extend(unscored)
    for metric, unscored in todo.items():
        why = _why_scored(unscored[0], known.get((unscored[0].job, metric)), cell, metric)
        yield f"{cell.label}: {len(unscored)} of these galleries to score, {metric}: {why}"


def _why(cell: Cell) -> str:
    """Why the cell lacks galleries."""
    store = cell.galleries
    rows, _ = store.entries()
    if rows:
        given_up = len(cell.given_up())
        grown = sum(members.start > 0 for members in store.lacking(cell.missing()))
        reasons = [
            f"{given_up} were given up before" if given_up else "",
            "some to grow within their plan" if grown else "",
        ]
        return ", ".join(filter(None, [f"{len(cell.jobs)} are asked for", *reasons]))
    changes = [
        changed
        for other in _siblings(store)
        if other.path.name.rpartition("-")[0] == store.path.name.rpartition("-")[0]
        and (changed := _changes(other.inputs, store.inputs))
    ]
    if not changes:
        return "a new cell"
    return f"a new cell: {', '.join(min(changes, key=len))}"


def _why_scored(row: Any, line: Mapping | None, cell: Cell, metric: str) -> str:
    """Why a gallery has no current score."""
    if line is None:
        return "not scored yet"
    if line["gallery"] != row.digest:
        return "another gallery now"
    identity = cell.suite.identities[metric]
    return ", ".join(_changes({key: line.get(key) for key in identity}, identity))


def _cost(cell: Cell, missing: int) -> str:
    """Time and memory of the galleries that are missing."""
    inputs = cell.galleries.inputs
    beside = _siblings(cell.galleries)
    alike = [other for other in beside if other.inputs["model"] == inputs["model"]]
    method = {**inputs, "seed": None}
    same = [other for other in alike if {**other.inputs, "seed": None} == method]
    rows = list(_rows_made_here(same, cell)) or list(_rows_made_here(alike, cell))
    if not rows:
        return "time and memory unknown, as none was made here with this model"
    seconds = median(sum(row.seconds.values()) / len(row.images) for row in rows)
    seconds *= missing * cell.galleries.gallery_size / cell.workers.at_once(cell.recipe)
    told = f"about {timedelta(seconds=round(seconds))}{'' if same else ', by other methods'}"
    peaks = [row.peak for row in rows if row.peak]
    return f"{told}; {max(peaks):.0f} MiB at the peak" if peaks else f"{told}; memory unknown"


def _siblings(store: Archive) -> list[Archive]:
    """The cells beside a cell, and the cell itself, as far as they can be read."""
    paths = sorted(store.path.parent.glob("*/cell.json"))
    return [cell for path in paths if "model" in (cell := Archive.at(path.parent)).inputs]


def _rows_made_here(stores: list[Archive], cell: Cell) -> Iterator[Entry]:
    here = provenance(cell.recipe.model.device)["device"]
    for store in stores:
        rows, _ = store.entries()
        yield from (row for row in rows.values() if row.made_with.get("device") == here)


def _changes(before: Mapping, after: Mapping) -> list[str]:
    """`model.num_steps 25 -> 50` for everything that differs."""
    before, after = dict(_flat(before)), dict(_flat(after))
    return [
        f"{key} {_told(before.get(key))} -> {_told(after.get(key))}"
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key)
    ]


def _flat(values: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _flat(value, f"{name}.{key}" if name else key)
    else:
        yield name, values


def _told(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= LONG else f"{text[: LONG - 3]}..."
