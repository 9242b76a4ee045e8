"""What a dashboard of the runs shows, as plain data; scripts/dashboard.py builds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.tables.spec import Column
from experiments.tables.typeset import heading


@dataclass(frozen=True)
class Bars:
    """One bar for each run: a summary value."""

    title: str
    key: str


@dataclass(frozen=True)
class Pictures:
    """A logged picture of each run."""

    title: str
    key: str


@dataclass(frozen=True)
class Lines:
    """A logged table of all runs, joined."""

    key: str


Panel = Bars | Pictures | Lines


@dataclass(frozen=True)
class Section:
    title: str
    panels: tuple[Panel, ...]


def sections(columns: Mapping[str, Mapping], figures: Sequence[str]) -> tuple[Section, ...]:
    """The dashboard, from what tables can have.

    Args:
        columns: metric -> the fields of its Column.
        figures: the names of the tables' figures.
    """
    bars = (Bars(heading(Column(**column)), f"{metric}.mean") for metric, column in columns.items())
    return (
        Section("Methods, means over prompts", tuple(bars)),
        Section("Galleries, prompt by prompt", (Lines("prompts"),)),
        Section("Figures of the tables", tuple(Pictures(name, name) for name in figures)),
        Section("Couplings", (Pictures("correlation of a gallery's noises", "correlation"),)),
    )
