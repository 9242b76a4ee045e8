"""plan=true: what a run would make and score, why, in what time, with what memory. Makes nothing.

A cell is new because one of its inputs is; which one shows against the nearest cell that there is.
Times and memory are those of galleries that were made here before, with the same model on the same
kind of device; where there are none, nobody can tell.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any

from experiments.cells.cell import Cell
from experiments.cells.production import Production
from experiments.cells.score import Scorable, read, unscored
from experiments.cells.scorerow import ScoreRow
from experiments.galleries.folder import Archive
from experiments.galleries.manifest import Entry
from experiments.models.footprint import told
from experiments.models.hub import Unfetched
from experiments.workers.batch import Recipe
from experiments.workers.provenance import provenance

UNKNOWN = "unknown, as none was made here with this model"
LONG = 40  # characters of a value that is told


def plan(cell: Cell) -> Iterator[str]:
    """The lines that tell of a cell.

    Raises:
        UsageError: a run would refuse it, too.
    """
    production = cell.production
    rows: list[str] = []
    try:
        if production:
            production.check()
            rows = [*_rows(cell.name, production)]
    except Unfetched as error:
        yield f"{cell.name}: not held against its model: {error}"
    if production and (missing := production.missing()):
        count = f"{len(missing)} of {len(cell.jobs)} galleries"
        yield f"{cell.name}: {count} to generate, {_why(production)}"
        yield f"{cell.name}: {_told_cost(_cost(production, len(missing)), _memory(production))}"
        yield from rows
    else:
        yield f"{cell.name}: {len(cell.jobs)} galleries, nothing to generate"
    there = cell.galleries.committed()
    entries = [there[job.id] for job in cell.jobs if job.id in there]
    known = read(cell.score_file)
    todo: dict[str, list[Scorable]] = {}
    for metrics, galleries in unscored(entries, cell.suite, known).items():
        for metric in metrics:
            todo.setdefault(metric, []).extend(galleries)
    for metric, galleries in todo.items():
        row = known.get((galleries[0].job, metric))
        why = _why_scored(galleries[0], row, cell.suite.identities[metric])
        yield f"{cell.name}: {len(galleries)} of these galleries to score, {metric}: {why}"


def _rows(name: str, production: Production) -> Iterator[str]:
    """What a gallery that is to be made takes of the network, if that can be told."""
    recipe = production.recipe
    if production.missing() and (cost := recipe.method.cost(recipe.model.sketch())):
        passes, rows = cost
        kinds = ", ".join(f"{kind} {count}" for kind, count in passes.items() if count)
        yield f"{name}: {rows} network rows a gallery; guided passes: {kinds}"


def _why(production: Production) -> str:
    """Why the cell lacks galleries."""
    folder = production.folder
    entries, _ = folder.entries()
    if entries:
        why = f"{len(production.jobs)} are asked for"
        if given_up := production.given_up():
            why += f", {len(given_up)} were given up before"
        grown = any(members.start for members in folder.lacking(production.missing()))
        return f"{why}, some to grow within their plan" if grown else why
    name = folder.path.name.rpartition("-")[0]
    alike = [cell for cell in _siblings(folder) if cell.path.name.rpartition("-")[0] == name]
    changes = filter(None, (_changes(cell.inputs, folder.inputs) for cell in alike))
    fewest = min(changes, key=len, default=None)
    return f"a new cell: {', '.join(fewest)}" if fewest else "a new cell"


def _why_scored(entry: Scorable, row: ScoreRow | None, identity: Mapping[str, Any]) -> str:
    """Why a gallery has no current score."""
    if row is None:
        return "not scored yet"
    if row.gallery != entry.digest:
        return "another gallery now"
    return ", ".join(_changes({key: row.identity.get(key) for key in identity}, identity))


def headline(name: str, cells: Sequence[Cell]) -> str:
    """What a run is about to make, with which model, and how long that takes if anybody can tell.

    `name` is of the table, or of the one cell.
    """
    productions = [cell.production for cell in cells if cell.production]
    if not productions:
        return f"{name}: {len(cells)} rows of galleries that something else made"
    settings = productions[0].recipe.model.settings
    what = "{name}, {image_size} px, {num_steps} steps".format(**settings)
    missing = {id(each): len(each.missing()) for each in productions}
    images = sum(missing[id(each)] * each.folder.gallery_size for each in productions)
    rows = f"{len(cells)} rows" if len(cells) > 1 else "a row"
    head = f"{name} of {what}: {rows}, {sum(missing.values())} galleries to make"
    if not images:
        return head
    costs = [_cost(each, missing[id(each)]) for each in productions if missing[id(each)]]
    known = [cost.seconds for cost in costs if cost]
    time = (
        f"about {timedelta(seconds=round(sum(known)))}"
        if len(known) == len(costs)
        else f"time {UNKNOWN}"
    )
    where = productions[0].workers.told(productions[0].recipe)
    return f"{head}, {images} images, {where}; {time}"


@dataclass(frozen=True)
class Cost:
    """Seconds that galleries take, MiB at the peak (None: unknown), and who has made such before:
    the same method, or others with the same model.
    """

    seconds: float
    peak: float | None
    same: bool


def _cost(production: Production, missing: int) -> Cost | None:
    """Of the galleries that are missing; None where none was made here with this model."""
    folder, recipe = production.folder, production.recipe
    model, method = recipe.inputs["model"], {**recipe.inputs, "seed": None}
    alike = [cell for cell in _siblings(folder) if cell.inputs["model"] == model]
    same = [cell for cell in alike if {**cell.inputs, "seed": None} == method]
    entries = list(_made_here(same, recipe)) or list(_made_here(alike, recipe))
    if not entries:
        return None
    seconds = median(sum(entry.seconds.values()) / len(entry.images) for entry in entries)
    seconds *= missing * folder.gallery_size / production.workers.at_once(recipe)
    return Cost(seconds, max((e.peak for e in entries if e.peak), default=None), same=bool(same))


def _told_cost(cost: Cost | None, memory: str) -> str:
    """Time and memory in words; `memory` is what arithmetic knows, if anything."""
    if cost is None:
        return f"time {UNKNOWN}; {memory}" if memory else f"time and memory {UNKNOWN}"
    others = "" if cost.same else ", by other methods"
    peak = f"{cost.peak:.0f} MiB at the peak" if cost.peak else memory or "memory unknown"
    return f"about {timedelta(seconds=round(cost.seconds))}{others}; {peak}"


def _memory(production: Production) -> str:
    """What a batch of a published model takes; empty for another model."""
    recipe, batch = production.recipe, production.workers.galleries_per_batch
    galleries = batch if isinstance(batch, int) else 1
    images, graph = galleries * recipe.method.coupling.size, recipe.method.differentiated(galleries)
    return told(recipe.inputs["model"], sampled=images, differentiated=graph, back=graph > 0)


def _siblings(cell: Archive) -> list[Archive]:
    """The cells beside a cell, and the cell itself, as far as they can be read."""
    paths = sorted(path.parent for path in cell.path.parent.glob("*/cell.json"))
    return [other for other in map(Archive.at, paths) if "model" in other.inputs]


def _made_here(cells: list[Archive], recipe: Recipe) -> Iterator[Entry]:
    """The galleries that this kind of device has made."""
    here = provenance(recipe.model.device)["device"]
    for cell in cells:
        entries, _ = cell.entries()
        yield from (each for each in entries.values() if each.made_with.get("device") == here)


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
