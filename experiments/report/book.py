"""The book of all tables: an index of every page under a folder of results, made without a run.

A page with galleries is a run's, and stays as it is while its table does. Every other table gets
its page from its files, less the galleries; Markdown without a table becomes a page of its own.
"""

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from experiments.report.committed import Published, digest, published
from experiments.report.effects import Effect, effects
from experiments.report.page import page
from experiments.report.pictures import Picture, thumbnail
from experiments.report.render import html, write_page
from experiments.tables.table import Table


@dataclass(frozen=True)
class Chapter:
    """A page of the book.

    Attributes:
        link: its file, relative to the index.
        table: None where the page is a text.
        digest: of the table's JSON, or "".
        effects: of the table, by row and baseline.
    """

    title: str
    link: str
    picture: Picture | None
    table: Table | None = None
    digest: str = ""
    effects: dict[tuple[str, str], list[Effect]] = field(default_factory=dict)


def write_book(folder: Path) -> Path:
    """Writes the pages that are missing under `folder`, and index.html; returns its path.

    Raises:
        UsageError: there is no such folder.
    """
    tables = published(folder)
    of_tables = {table.path.with_suffix(".md") for table in tables}
    texts = [path for path in sorted(folder.glob("*/*.md")) if path not in of_tables]
    chapters = [_of_table(table, folder) for table in tables]
    others = [_of_text(path, folder) for path in texts]
    return write_page(html("book.html", tables=chapters, texts=others), folder / "index.html")


def _of_table(published: Published, folder: Path) -> Chapter:
    path, table, pictures = published.path.with_suffix(".html"), published.table, published.pictures
    of_table = digest(published.path)
    if not _is_of_a_run(path, of_table):
        results, made_by = published.results(), published.made_by
        shown = page(
            results, made_by=made_by, pictures=pictures, digest=of_table, galleries=0, pixels=1
        )
        write_page(shown, path)
    title = table.spec.title
    picture = pictures.get("galleries") or next(iter(pictures.values()), None)
    return Chapter(
        title=title,
        link=path.relative_to(folder).as_posix(),
        picture=thumbnail(picture, title) if picture else None,
        table=table,
        digest=of_table,
        effects=effects(table),
    )


def _is_of_a_run(path: Path, of_table: str) -> bool:
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return f'<meta name="table" content="{of_table}">' in text and 'id="galleries"' in text


def _of_text(path: Path, folder: Path) -> Chapter:
    """A Markdown file as a page; its pictures go into it."""
    source = path.read_text(encoding="utf-8")
    title = next((line[2:] for line in source.splitlines() if line.startswith("# ")), path.stem)
    body = MarkdownIt("commonmark").enable("table").render(source)
    body = re.sub(r'src="([^":]+\.png)"', lambda found: _inlined(path.parent, found), body)
    target = write_page(
        html("text.html", title=title, body=Markup(body)), path.with_suffix(".html")
    )
    pictures = [path.with_suffix(".png"), *sorted(path.parent.glob("*.png"))]
    picture = next((thumbnail(each, title) for each in pictures if each.is_file()), None)
    return Chapter(title, target.relative_to(folder).as_posix(), picture)


def _inlined(folder: Path, found: re.Match) -> str:
    path = folder / found.group(1)
    if not path.is_file():
        return found.group(0)
    return f'src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode("ascii")}"'
