"""A page as text: one template, one style sheet and one script, all inside the HTML."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from experiments.galleries.durable import replace_file
from experiments.report.page import Page

ENVIRONMENT = Environment(
    loader=PackageLoader("experiments.report", "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def html(template: str, **values: Any) -> str:
    """A template of this package filled with values, style and script included."""
    assets = {name: Markup(_asset(name)) for name in ("style.css", "page.js")}
    return ENVIRONMENT.get_template(template).render(
        style=assets["style.css"], script=assets["page.js"], **values
    )


def write_page(page: Page, path: Path) -> Path:
    """Writes a page whole; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, html("page.html", page=page).encode("utf-8"))
    return path


def _asset(name: str) -> str:
    return files("experiments.report").joinpath("templates", name).read_text(encoding="utf-8")
