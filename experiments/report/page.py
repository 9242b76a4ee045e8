"""The view model of a page: everything that it shows, as plain frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.cells.account import Account
from experiments.report.cost import Cost, costs
from experiments.report.distribution import Distribution, distributions
from experiments.report.galleries import Wall, wall
from experiments.report.noise import NoiseView, noise_view
from experiments.report.numbers import (
    Comparison,
    Head,
    Method,
    comparisons,
    head,
    methods,
    paper_models,
)
from experiments.report.pictures import Figure, figure
from experiments.report.settings import Settings, settings
from experiments.tables import paper
from experiments.tables.results import Results
from experiments.tables.typeset import count_range, model_title


@dataclass(frozen=True)
class Page:
    """A finished table, or a single cell, as its reader sees it.

    Attributes:
        provenance: (metric's label, what made it) by column, under `provenance_heads`.
        paper: where the paper's numbers are from, or "".
        galleries: None where no images are at hand.
        unit: what a job is made of, in the singular: a prompt, a picture.
        digest: of the table's JSON, so that a page is known to be of it; "" of a single cell.
    """

    digest: str
    title: str
    model: str
    n: str
    unit: str
    notes: tuple[str, ...]
    gaps: tuple[str, ...]
    heads: tuple[Head, ...]
    methods: tuple[Method, ...]
    comparisons: tuple[Comparison, ...]
    paper: str
    paper_models: tuple[str, ...]
    inferred: tuple[str, ...]
    distributions: tuple[Distribution, ...]
    galleries: Wall | None
    noise: NoiseView | None
    costs: tuple[Cost, ...]
    accounts: tuple[Account, ...]
    figures: tuple[Figure, ...]
    settings: Settings
    provenance_heads: tuple[str, ...]
    provenance: tuple[tuple[str, tuple[str, ...]], ...]


def page(
    results: Results,
    *,
    made_by: Mapping[str, Mapping],
    pictures: Mapping[str, Path],
    galleries: int | None,
    pixels: int,
    digest: str = "",
) -> Page:
    """The page of a table.

    Args:
        results: its cells may be empty; then there are no galleries and no failures to show.
        made_by: "configs" and "cells" by row, as the table's JSON has them.
        pictures: figures (PNG) by name.
        galleries: how many prompts' galleries are shown, the first ones; None for all.
        pixels: larger images are reduced to as many on their longer side.
        digest: of the table's JSON, if it has one.

    Raises:
        UsageError: an image is not the one that was committed.
    """
    table, spec = results.table, results.table.spec
    models = paper_models(table)
    number = table.paper and f"Table {table.paper.number} (section {table.paper.section})"
    made = next(iter(table.provenance.values()))
    return Page(
        digest=digest,
        title=spec.title,
        model=model_title(table),
        n=count_range(cell.n for cell in table.cells),
        unit=spec.unit,
        notes=tuple(spec.notes),
        gaps=table.gaps,
        heads=tuple(head(column) for column in spec.columns.values()),
        methods=methods(table),
        comparisons=comparisons(table),
        paper=f"{paper.source()}, {number}" if number else "",
        paper_models=models,
        inferred=table.paper.inferred if models and table.paper else (),
        distributions=distributions(results),
        galleries=wall(results, galleries=galleries, pixels=pixels),
        noise=noise_view(results, made_by["cells"]),
        costs=costs(results, made_by["cells"]),
        accounts=tuple(results.accounts),
        figures=tuple(figure(path, name) for name, path in pictures.items()),
        settings=settings(made_by),
        provenance_heads=tuple(made),
        provenance=tuple(
            (column.label, tuple(" | ".join(table.provenance[metric][field]) for field in made))
            for metric, column in spec.columns.items()
        ),
    )
