"""What is told of a cell or a table, in plain values: a function of their results alone."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.cells.cell import Cell
from experiments.galleries.folder import cell_key
from experiments.tables.finding import unit
from experiments.workers.provenance import suite

Value = str | float | None

OF_THIS_MACHINE = {"output_dir", "results_dir", "tracking"}
"""Settings that say where things lie and who is told of them."""

OF_WEIGHTS = ("_target_", "variant", "weights")
"""What of a model's inputs its weights are known by."""


@dataclass(frozen=True)
class Record:
    """One run of a tracking service.

    Attributes:
        id: of the cell, so that its next run goes on with this one.
        group: the table, if there is one.
        job_type: "cell" or "table".
        summary: metric -> mean, sample standard deviation and n over the galleries, and its unit.
        columns, lines: the scores, a line for each prompt.
        galleries: (K, H, W, 3) uint8 of the first lines.
        matrices: correlations (K, K) of a gallery's noises, by what they are.
        figures: by name.
        artifacts: files by (name, type), made by the run.
        uses: the same, of what it was made from: artifacts of other runs.
        models: of artifacts that it was made from, by name: what tells one's weights from others'.
    """

    id: str
    name: str
    group: str | None
    job_type: str
    tags: tuple[str, ...]
    config: Mapping[str, Any]
    summary: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    lines: tuple[tuple[Value, ...], ...] = ()
    galleries: tuple[np.ndarray, ...] = ()
    matrices: Mapping[str, np.ndarray] = field(default_factory=dict)
    figures: Mapping[str, Path] = field(default_factory=dict)
    artifacts: Mapping[tuple[str, str], tuple[Path, ...]] = field(default_factory=dict)
    uses: Mapping[tuple[str, str], tuple[Path, ...]] = field(default_factory=dict)
    models: Mapping[str, Any] = field(default_factory=dict)


def identity(cell: Cell, config: Mapping, table: str | None) -> Record:
    """The record of a cell before anything is known of it but what it is.

    config: its composed configuration; its groups become tags.
    """
    return Record(
        id=_allowed(cell.score_file.stem),
        name=cell.name,
        group=table,
        job_type="cell",
        tags=tuple(_tags(config)),
        config=shareable(config) | {"suite": suite()},
    )


def shareable(config: Any) -> Any:
    """A configuration without what is this machine's: of absolute paths the last part is kept."""
    if isinstance(config, Mapping):
        return {k: shareable(value) for k, value in config.items() if k not in OF_THIS_MACHINE}
    if isinstance(config, list | tuple):
        return [shareable(value) for value in config]
    is_place = isinstance(config, str) and Path(config).is_absolute()
    return Path(config).name if is_place else config


def of_cell(
    cell: Cell, scores: pd.DataFrame, *, config: Mapping, table: str | None, num_galleries: int
) -> Record:
    """The record of a cell.

    Args:
        scores: of all cells of the run.
        config: its composed configuration; its groups become tags, its coupling's card an artifact.
        num_galleries: how many galleries are shown.

    Raises:
        UsageError: an image is not the one that was committed.
    """
    scores = scores[(scores["row"] == cell.label) & (scores["seed"] == cell.seed)]
    values = scores.pivot(index="job", columns="metric", values="value")
    values = values[list(dict.fromkeys(scores["metric"]))]
    committed = cell.galleries.committed()
    jobs = [job for job in cell.jobs if job.id in values.index]
    shown = takewhile(lambda job: job.id in committed, jobs[:num_galleries])
    of_it = identity(cell, config, table)
    name = of_it.id
    inputs = cell.production.folder.inputs.get("model", {}) if cell.production else {}
    model = {key: inputs[key] for key in OF_WEIGHTS if key in inputs}
    files = {
        ("scores", "scores"): [cell.score_file],
        ("card", "coupling-card"): _card(config) if cell.production else [],
        ("galleries", "galleries"): [cell.place / "manifest.jsonl"] if cell.production else [],
    }
    return replace(
        of_it,
        summary={
            metric: _moments(values[metric].dropna()) | {"unit": unit(metric)} for metric in values
        },
        columns=("prompt", "job", *values.columns),
        lines=tuple(
            (job.prompt, job.id, *map(_finite, values.loc[job.id].tolist())) for job in jobs
        ),
        galleries=tuple(cell.galleries.read(committed[job.id]) for job in shown),
        matrices=_correlations(cell),
        artifacts={
            (f"{name}-{what}", kind): tuple(path for path in paths if path.is_file())
            for (what, kind), paths in files.items()
            if any(path.is_file() for path in paths)
        },
        models={f"{_allowed(config['model']['name'])}-weights": model} if model else {},
    )


def of_table(
    table: str, cells: Sequence[Record], *, model: str, config: Mapping, files: Sequence[Path]
) -> Record:
    """The record of a table: its figures, and its files as an artifact.

    Args:
        cells: the records of its rows, whose galleries and scores it is made from.
        files: all that was written of it; pictures are the PNGs.
    """
    name = _allowed(f"{model}-{table}-{cell_key({'cells': [cell.id for cell in cells]})}")
    kept = tuple(path for path in files if path.suffix not in (".png", ".pdf"))
    return Record(
        id=name,
        name=table,
        group=table,
        job_type="table",
        tags=(model,),
        config=config,
        figures={
            path.stem.removeprefix(f"{model}-"): path for path in files if path.suffix == ".png"
        },
        artifacts={(name, "table"): kept} if kept else {},
        uses={key: paths for cell in cells for key, paths in cell.artifacts.items()},
    )


def _tags(config: Mapping) -> list[str]:
    """Model, coupling and optimiser; of galleries from elsewhere, that they are foreign."""
    if "path" in config["task"]:
        return ["foreign"]
    methods = [config["coupling"], config["optimizer"]]
    if steering := config.get("steering"):
        methods.append(steering)
    names = [method["_target_"].rsplit(".")[-1].lower() if method else "none" for method in methods]
    return [config["model"]["name"], *names]


def _card(config: Mapping) -> list[Path]:
    """The files of the coupling's card, if it was learned."""
    card = config["coupling"].get("card")
    return [Path(card), Path(card).with_suffix(".json")] if card else []


def _correlations(cell: Cell) -> dict[str, np.ndarray]:
    """The coupling's law, and what the noises that were sampled from have, on average."""
    drifts = [entry.drift for entry in cell.entries()]
    if not drifts:
        return {}
    return {
        "coupling": np.mean([drift.target for drift in drifts], axis=0),
        "measured": np.mean([drift.correlation for drift in drifts], axis=0),
    }


def _moments(values: pd.Series) -> dict[str, Value]:
    moments = {"mean": values.mean(), "std": values.std(), "n": len(values)}
    return {name: _finite(value) for name, value in moments.items()}


def _finite(value: float) -> float | None:
    """The value; None where there is none."""
    return value if math.isfinite(value) else None


def _allowed(name: str) -> str:
    """A name in the characters that ids and artifacts may have."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)
