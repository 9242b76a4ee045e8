"""The page of a finished table, or of a single cell: HTML that needs nothing but itself."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.report.distribution import distributions
from experiments.report.effects import effects
from experiments.report.galleries import wall
from experiments.report.noise import DRIFT, mean_drift
from experiments.report.pictures import plate
from experiments.report.render import html
from experiments.report.settings import overrides, settings
from experiments.tables.finding import Finding, findings, glossary
from experiments.tables.results import Results
from experiments.tables.rivals import reported
from experiments.tables.scorerows import pivot

HOME = "../index.html"
"""The book, seen from the folder of a page."""

STAGES = ("encode", "couple", "optimize", "denoise", "decode")
"""The order in which they follow each other; any other comes last."""


def page(
    results: Results,
    *,
    made_by: Mapping[str, Mapping],
    pictures: Mapping[str, Path],
    galleries: int | None,
    pixels: int,
    digest: str = "",
    files: Sequence[str] = (),
) -> str:
    """The page of a table, as HTML; the same input gives the same text.

    Args:
        results: its galleries may not be here; then none are shown.
        made_by: "configs" and "cells" by row, and the "suite", as the table's JSON has them.
        pictures: figures (PNG) by name.
        galleries: how many prompts' galleries are shown, the first ones; None for all.
        pixels: larger images are reduced to as many on their longer side.
        digest: of the table's JSON, so that a page is known to be of it; "" of a single cell.
        files: names of the data beside the page.

    Raises:
        UsageError: an image is not the one that was committed.
    """
    spec, made, configs = results.table.spec, made_by["cells"], made_by["configs"]
    shared, own = settings(configs)
    of_rows = {row: made.get(row, {}) for row in spec.rows}
    timed = {
        row: dict(sorted(of["median_seconds_per_gallery"].items(), key=_stage))
        for row, of in of_rows.items()
        if "median_seconds_per_gallery" in of
    }
    return html(
        "page.html",
        home=HOME,
        table=results.table,
        digest=digest,
        files=files,
        findings=findings_of(results, configs),
        words=glossary(results.table, configs),
        reported=reported(results.table, configs),
        effects=effects(results.table),
        distributions=distributions(results),
        wall=wall(results, galleries=galleries, pixels=pixels),
        drift=mean_drift(results),
        drift_heads=DRIFT,
        noises={row: of["noise"] for row, of in of_rows.items() if "noise" in of},
        timed=timed,
        passes=_passes(results),
        accounts=results.accounts,
        plates=[plate(path, name) for name, path in pictures.items()],
        made=made,
        suite=made_by.get("suite"),
        overrides=overrides(configs),
        shared=shared,
        own=own,
    )


def findings_of(results: Results, configs: Mapping[str, Mapping]) -> tuple[Finding, ...]:
    """What a table found, in sentences; `configs` has the composed configuration of every row."""
    return findings(results.table, configs, _passes(results))


def _passes(results: Results) -> Mapping[str, float]:
    """The mean network passes of a gallery, by row."""
    return pivot(results.scores, "passes", rows=results.table.spec.rows).mean().to_dict()


def data_of(folder: Path, stem: str) -> list[str]:
    """The names of the data files of a page in `folder`: its tables and scores."""
    kinds = {".csv", ".json", ".md", ".parquet", ".tex"}
    named = [path.name for path in folder.glob(f"{stem}*") if path.suffix in kinds]
    beside = re.compile(re.escape(stem) + r"(-[a-z-]+)?\.[a-z]+")
    return sorted(name for name in named if beside.fullmatch(name))


def _stage(timed: tuple[str, float]) -> tuple[int, str]:
    stage, _ = timed
    return (STAGES.index(stage) if stage in STAGES else len(STAGES), stage)
