"""Templates as text: each page carries the one style sheet and the one script inside its HTML."""

import math
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from experiments.report.noise import off_law, spectrum_line
from experiments.tables import grids, paper, wording


def html(template: str, **values: Any) -> str:
    """A template of this package filled with values, style and script included."""
    return ENVIRONMENT.get_template(template).render(values)


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
    "FIRST": 12,  # galleries of a page that are seen at once
    "HEADLINES": 4,  # of a table in the book
    "HINTS": {"higher": "higher is better", "lower": "lower is better", "neutral": ""},
    "DASH": wording.DASH,
    "grids": grids,
}
FILTERS = (
    fixed, signed, off_law, spectrum_line, wording.count_range, wording.heading, wording.marks,
    wording.model_title, wording.numbered, wording.over_seeds, wording.p_value, wording.ratio,
    wording.times_seeds, wording.verdict,
)  # fmt: skip
ENVIRONMENT.filters |= {each.__name__: each for each in FILTERS} | {"paper_label": paper.label}
