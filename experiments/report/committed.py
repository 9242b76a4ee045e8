"""Tables as they were published: read back from their files, to be shown again without a run."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from experiments.errors import UsageError
from experiments.tables.contrasts import Dominated, Interaction
from experiments.tables.paper import PaperTable
from experiments.tables.results import Results
from experiments.tables.sets import Estimate, SetScore
from experiments.tables.spec import TableSpec
from experiments.tables.statistics import PairedTest
from experiments.tables.table import Cell as TableCell
from experiments.tables.table import Comparison, Table


@dataclass(frozen=True)
class Published:
    """A table's files.

    Attributes:
        path: its JSON; the others stand beside it.
        score_file: its scores, CSV or, where it was exported, Parquet.
        pictures: figures (PNG, or WebP) by name.
    """

    path: Path
    score_file: Path
    table: Table
    scores: pd.DataFrame
    made_by: Mapping[str, Mapping]
    pictures: Mapping[str, Path]

    def results(self) -> Results:
        """What figures and pages are made from; scores have the digits of their file."""
        return Results(self.table, self.scores)


TEXTS = dict.fromkeys(("prompt", "job", "row"), str)
"""Columns of scores that are taken as they are: a prompt may be nan, a job's id 1e10."""


def read_scores(path: Path) -> pd.DataFrame:
    """The published scores of a table, a line each, with every digit of their file."""
    wide = wide_scores(path)
    of = [name for name in ("prompt", "job", "row", "seed") if name in wide]
    return wide.melt(of, var_name="metric").dropna(subset=["value"])


def wide_scores(path: Path) -> pd.DataFrame:
    """The published scores as they stand in their file: a line for each prompt and row."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, converters=TEXTS, float_precision="round_trip")


def digest(path: Path) -> str:
    """A hash of a file by which a page knows its table."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def published(folder: Path) -> list[Published]:
    """The tables in the folders of `folder`, by their paths.

    Raises:
        UsageError: there is no such folder, a file in it is no JSON, or a table's scores are not
            beside it.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; set results_dir to where tables were written")
    found = [(path, _document(path)) for path in sorted(folder.glob("*/*.json"))]
    return [_read(path, document) for path, document in found if "spec" in document]


def by_name(folder: Path) -> dict[str, Published]:
    """The tables in the folders of `folder`, by their files: table1/tiny. Raises as `published`."""
    return {
        table.path.relative_to(folder).with_suffix("").as_posix(): table
        for table in published(folder)
    }


def _document(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as JSON: {error}; restore or remove it") from None


def _read(path: Path, document: dict) -> Published:
    scores = path.with_name(f"{path.stem}-scores.csv")
    exported = scores.with_suffix(".parquet")
    if not scores.is_file() and not exported.is_file():
        raise UsageError(f"{scores} is missing; run the experiment of {path} again")
    scores = scores if scores.is_file() else exported
    named = path.stem + "-"
    others = tuple(f"{other.stem}-" for other in path.parent.glob(f"{named}*.json"))
    return Published(
        path=path,
        score_file=scores,
        table=_table(document),
        scores=read_scores(scores),
        made_by=document["made_by"],
        pictures={
            picture.stem.removeprefix(named): picture
            for picture in sorted(path.parent.glob(f"{named}*"))
            if picture.suffix in (".png", ".webp") and not picture.stem.startswith(others)
        },
    )  # fmt: skip


def _table(document: dict) -> Table:
    return Table(
        spec=TableSpec(**document["spec"]),
        model=document["model"],
        cells=tuple(map(_cell, document["cells"])),
        provenance={
            metric: {field: tuple(values) for field, values in made.items()}
            for metric, made in document["provenance"].items()
        },
        gaps=tuple(document["gaps"]),
        paper=document["paper"] and PaperTable(**document["paper"]),
        sets=tuple(map(_set_score, document.get("sets", ()))),
        interactions=tuple(
            Interaction(**each | {"test": PairedTest(**each["test"])})
            for each in document.get("interactions", ())
        ),
        dominated=tuple(Dominated(**each) for each in document.get("dominated", ())),
    )


def _set_score(fields: dict) -> SetScore:
    estimates = {name: Estimate(**each) for name, each in fields["differences"].items()}
    estimate = Estimate(**fields["estimate"])
    return SetScore(**fields | {"estimate": estimate, "differences": estimates})


def _cell(fields: dict) -> TableCell:
    comparisons = tuple(
        Comparison(**each | {"test": PairedTest(**each["test"])}) for each in fields["comparisons"]
    )
    reported = fields["paper"] and tuple(fields["paper"])
    return TableCell(**fields | {"comparisons": comparisons, "paper": reported})
