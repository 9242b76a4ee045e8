"""The numbers that the paper reports, to stand beside ours.

Source: "Couple to Control: Joint Initial Noise Design in Diffusion Models", arXiv:2605.11311,
Tables 1-9, restated in `paper.yaml` with the section of each table and what had to be inferred.
"""

from dataclasses import dataclass
from typing import Any

from experiments.errors import UsageError
from experiments.tables.stated import stated

Reported = tuple[float, float | None]  # mean, standard deviation where the paper gives one


@dataclass(frozen=True)
class PaperTable:
    """One table of the paper; `values` maps model -> row -> metric -> (mean, std or None)."""

    number: int
    section: str
    title: str
    n: int | None  # prompts or images; None where the paper does not say
    better: dict[str, str]  # metric -> higher | lower | neutral
    inferred: tuple[str, ...]
    values: dict[str, dict[str, dict[str, Reported]]]


def source() -> str:
    """Title and arXiv number of the paper."""
    return stated("paper")["source"]


def label(model: str) -> str:
    """Name of a model as the paper prints it; a model it does not have keeps its own name."""
    return stated("paper")["models"].get(model, model)


def tables() -> tuple[str, ...]:
    """Keys of all tables, in the paper's order."""
    return tuple(stated("paper")["tables"])


def table(key: str) -> PaperTable:
    """Table `key` ("table1" .. "table9"); a key that does not exist raises UsageError."""
    known = stated("paper")["tables"]
    if key not in known:
        raise UsageError(f"the paper has no table {key!r}; choose one of {', '.join(known)}")
    entry = known[key]
    values = {
        model: {row: _reported(cells) for row, cells in rows.items()}
        for model, rows in entry["values"].items()
    }
    return PaperTable(**entry | {"inferred": tuple(entry["inferred"]), "values": values})


def values(key: str, model: str) -> dict[str, dict[str, Reported]]:
    """Row -> metric -> (mean, std or None) of table `key`; empty for a model it does not have."""
    return table(key).values.get(model, {})


def _reported(cells: dict[str, Any]) -> dict[str, Reported]:
    """Numbers of a row; a dash in the paper (null) is no number and is left out."""
    return {
        metric: (float(cell[0]), float(cell[1])) if isinstance(cell, list) else (float(cell), None)
        for metric, cell in cells.items()
        if cell is not None
    }
