"""The book of all tables: an index of every page under a folder of results, made without a run.

A page with galleries is a run's, and stays as it is while its table does. Every other table gets
its page from its files, less the galleries; Markdown without a table becomes a page of its own.
"""

import base64
import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from experiments.galleries.durable import replace_file
from experiments.report.committed import Published, digest, published
from experiments.report.numbers import comparisons
from experiments.report.page import page
from experiments.report.pictures import Picture, thumbnail
from experiments.report.render import html, write_page
from experiments.tables.typeset import count_range, model_title

HEADLINES = 4


@dataclass(frozen=True)
class Entry:
    """A page of the book.

    Attributes:
        digest: of the table's JSON, or "".
        link: its file, relative to the index.
        about: the model and n, or "".
        headlines: (comparison, column, effect, verdict) of the first comparisons.
    """

    digest: str
    title: str
    link: str
    about: str
    headlines: tuple[tuple[str, str, str, str], ...]
    more: int
    picture: Picture | None


def write_book(folder: Path) -> Path:
    """Writes the pages that are missing under `folder`, and index.html; returns its path.

    Raises:
        UsageError: there is no such folder.
    """
    tables = published(folder)
    entries = [_table(table, folder) for table in tables]
    of_tables = {table.path.with_suffix(".md") for table in tables}
    texts = [path for path in sorted(folder.glob("*/*.md")) if path not in of_tables]
    index = folder / "index.html"
    others = tuple(_text(path, folder) for path in texts)
    replace_file(index, html("book.html", tables=tuple(entries), texts=others).encode("utf-8"))
    return index


def _table(table: Published, folder: Path) -> Entry:
    path = table.path.with_suffix(".html")
    results = table.results()
    of_table = digest(table.path)
    if not _is_of_a_run(path, of_table):
        shown = page(
            results,
            made_by=table.made_by,
            pictures=table.pictures,
            galleries=0,
            pixels=1,
            digest=of_table,
        )
        write_page(shown, path)
    found = comparisons(table.table)
    pictures = dict(sorted(table.pictures.items(), key=lambda item: item[0] != "galleries"))
    title = table.table.spec.title
    return Entry(
        digest=of_table,
        title=title,
        link=path.relative_to(folder).as_posix(),
        about=f"model {model_title(table.table)}; "
        f"{count_range(cell.n for cell in table.table.cells)} {table.table.spec.unit}s",
        headlines=tuple(
            (f"{each.row} – {each.baseline}", first.head.label, first.percent or first.difference,
             first.verdict)
            for each in found[:HEADLINES]
            for first in each.effects[:1]
        ),
        more=max(0, len(found) - HEADLINES),
        picture=thumbnail(next(iter(pictures.values())), title) if pictures else None,
    )  # fmt: skip


def _is_of_a_run(path: Path, of_table: str) -> bool:
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return f'<meta name="table" content="{of_table}">' in text and 'id="galleries"' in text


def _text(path: Path, folder: Path) -> Entry:
    """A Markdown file as a page; its pictures go into it."""
    source = path.read_text(encoding="utf-8")
    title = next((line[2:] for line in source.splitlines() if line.startswith("# ")), path.stem)
    body = MarkdownIt("commonmark").enable("table").render(source)
    body = re.sub(r'src="([^":]+\.png)"', lambda found: _inlined(path.parent, found), body)
    target = path.with_suffix(".html")
    text = html("text.html", title=title, body=Markup(body))
    replace_file(target, text.encode("utf-8"))
    pictures = [path.with_suffix(".png"), *sorted(path.parent.glob("*.png"))]
    first = next((picture for picture in pictures if picture.is_file()), None)
    return Entry(
        digest="",
        title=title,
        link=target.relative_to(folder).as_posix(),
        about="",
        headlines=(),
        more=0,
        picture=thumbnail(first, title) if first else None,
    )


def _inlined(folder: Path, found: re.Match) -> str:
    path = folder / found.group(1)
    if not path.is_file():
        return found.group(0)
    return f'src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode("ascii")}"'
