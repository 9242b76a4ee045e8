"""A table of a model in memory: couplings compared on the same prompts and base noises.

    result = experiments.evaluate(pipe, prompts, rows={"iid": iid(4), "coupled": repulsive(4)}, ...)

As `python -m experiments.run` makes one: galleries are committed to a folder, one by one, and the
same call goes on where it was stopped; scores, tests, figures and page are the commands' own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from markdown_it import MarkdownIt

from coupling import Coupling
from experiments.cells.cell import Cell
from experiments.cells.held import cells_of_rows, table_of
from experiments.cells.measure import make, score, unfinished
from experiments.errors import UsageError
from experiments.methods.coupled import Coupled
from experiments.models.held import held
from experiments.report.pictures import plate
from experiments.report.publish import Publication, publish
from experiments.tables import typeset
from experiments.tables.spec import spec_of
from experiments.tables.table import TESTED, Table
from metrics import MetricSuite

NAME = "evaluation"


@dataclass(frozen=True, repr=False)
class Result:
    """What an evaluation came to; a notebook shows its table, its board and its effects.

    Attributes:
        scores: a line for each gallery and metric, with all that made the score.
        page: the page of it all, an HTML file that needs nothing but itself.
    """

    publication: Publication
    scores: pd.DataFrame

    @property
    def table(self) -> Table:
        return self.publication.table

    @property
    def page(self) -> Path:
        return self.publication.page

    @property
    def frame(self) -> pd.DataFrame:
        """The mean, standard deviation and n of every row and metric, and what made them."""
        return self.table.frame().drop(columns=list(TESTED))

    @property
    def tests(self) -> pd.DataFrame:
        """The paired tests: differences to the baseline, intervals, p-values, Holm's among them."""
        found = self.table.frame().dropna(subset="baseline")
        return found[["row", "metric", *TESTED]].reset_index(drop=True)

    def __repr__(self) -> str:
        return typeset.markdown(self.table)

    def _repr_html_(self) -> str:
        pictures = [plate(path, name).picture for name, path in self.publication.pictures.items()]
        shown = [
            f'<p><img src="{each.uri}" alt="{escape(each.alt)}" style="max-width:100%"></p>'
            for each in pictures
        ]
        text = MarkdownIt("commonmark", {"html": False}).enable("table").render(repr(self))
        link = f'<p><a href="{escape(str(self.page))}">{escape(str(self.page))}</a></p>'
        return "\n".join([*shown, f"<details><summary>Table</summary>{text}</details>", link])


def evaluate(
    model: Any,
    prompts: str | Sequence[str],
    *,
    rows: Mapping[str, Coupling | Coupled],
    metrics: str | MetricSuite,
    folder: Path | str,
    seed: int = 0,
    baseline: str | None = None,
    **call: Any,
) -> Result:
    """Galleries of `prompts` for each of `rows`, scored and compared.

    Args:
        model: a loaded pipeline of diffusers that makes images of prompts, or a `Model`.
        rows: what each row is called: its coupling, or `Coupled(coupling, optimizer)`.
        metrics: a name of configs/metrics, such as "open", or a suite of your own.
        folder: where galleries, scores and the table are kept.
        baseline: the row that all others are tested against; None for the first.
        call: of a pipeline, what its call is given (num_inference_steps, guidance_scale, height).

    Raises:
        UsageError: the parts do not fit together, or a gallery could not be made; says the remedy.
    """
    source, labels = held(model, **call), list(rows)
    texts = [prompts] if isinstance(prompts, str) else list(prompts)
    cells = cells_of_rows(source, texts, rows, metrics=metrics, folder=Path(folder), seed=seed)
    name, title = source.settings["name"], f"Galleries of {source.settings['name']}"
    table, shown = table_of(labels, name=NAME, title=title, baseline=baseline or labels[0])
    make(cells)
    scores = score(cells)
    if lack := unfinished(cells):
        raise UsageError(lack)
    notes = tuple(dict.fromkeys((*source.notes, *(note for cell in cells for note in cell.notes))))
    publication = publish(
        spec_of(table, cells, scores, notes=notes),
        cells,
        scores,
        model=name,
        folder=Path(folder) / "results" / NAME,
        configs={cell.label: _settings(cell) for cell in cells},
        allow_partial=False,
        **shown,
    )
    return Result(publication, scores)


def _settings(cell: Cell) -> dict[str, Any]:
    """What made a row, as a configuration would say it."""
    assert cell.production
    inputs = dict(cell.production.recipe.inputs)
    return {**inputs, "metrics": dict(cell.suite.identities), "table": {}}
