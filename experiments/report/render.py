"""Templates as text: each page carries the one style sheet and the one script inside its HTML."""

import math
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from experiments.galleries.durable import replace_file
from experiments.report.noise import off_law, spectrum_line
from experiments.tables import grids, paper, wording

HEADLINES = 4  # of a table in the book
FIRST = 12  # galleries of a page that are seen at once
HINTS = {"higher": "higher is better", "lower": "lower is better", "neutral": ""}


def html(template: str, **values: Any) -> str:
    """A template of this package filled with values, style and script included."""
    return ENVIRONMENT.get_template(template).render(values)


def write_page(page: str, path: Path) -> Path:
    """Writes a page whole; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, page.encode("utf-8"))
    return path


def fixed(value: float | None, digits: int) -> str:
    """A number to so many digits; a dash where there is none."""
    return wording.DASH if value is None or math.isnan(value) else f"{value:.{digits}f}"


def signed(value: float, digits: int) -> str:
    """A change to so many digits, with its sign."""
    return f"{value:+z.{digits}f}"


def _asset(name: str) -> Markup:
    path = files("experiments.report").joinpath("templates", name)
    return Markup(path.read_text(encoding="utf-8"))


ENVIRONMENT = Environment(
    loader=PackageLoader("experiments.report", "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.globals |= {
    "style": _asset("style.css"),
    "script": _asset("page.js"),
    "source_of_paper": paper.source,
    "best_mean": wording.best_mean,
    "FIRST": FIRST,
    "DASH": wording.DASH,
    "HINTS": HINTS,
    "HEADLINES": HEADLINES,
    "grids": grids,
}
ENVIRONMENT.filters |= {
    "fixed": fixed,
    "signed": signed,
    "off_law": off_law,
    "spectrum_line": spectrum_line,
    "paper_label": paper.label,
    "count_range": wording.count_range,
    "heading": wording.heading,
    "marks": wording.marks,
    "model_title": wording.model_title,
    "numbered": wording.numbered,
    "p_value": wording.p_value,
    "over_seeds": wording.over_seeds,
    "ratio": wording.ratio,
    "times_seeds": wording.times_seeds,
    "verdict": wording.verdict,
}
