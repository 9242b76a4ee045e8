"""The book of all tables: an index of every page under a folder of results, made without a run.

A page with galleries is a run's, and stays as it is while its table does. Every other table gets
its page from its files, less the galleries; Markdown without a table becomes a page of its own.
Tables stand in the paper's order, and what is not the paper's after them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from PIL import Image

from experiments.galleries.durable import write_text
from experiments.report.committed import Published, digest, published
from experiments.report.effects import Effect, effects
from experiments.report.page import HOME, data_of, findings_of, page
from experiments.report.pictures import Picture, thumbnail, webp
from experiments.report.render import html
from experiments.tables.finding import Finding
from experiments.tables.table import Table
from experiments.tables.wording import numbered


@dataclass(frozen=True)
class Chapter:
    """A page of the book.

    Attributes:
        link: its file, relative to the index.
        about: of a text, its first lines.
        table: None where the page is a text.
        digest: of the table's JSON, or "".
        findings, effects: of the table; effects by row and baseline.
    """

    title: str
    link: str
    picture: Picture | None
    about: str = ""
    table: Table | None = None
    digest: str = ""
    findings: tuple[Finding, ...] = ()
    effects: dict[tuple[str, str], list[Effect]] = field(default_factory=dict)


def write_book(folder: Path, *, anew: bool = True) -> Path:
    """Writes the pages under `folder`, and index.html; returns its path.

    anew: whether pages that are there are written again, if they are no run's.

    Raises:
        UsageError: there is no such folder, or a table in it cannot be read.
    """
    tables = sorted(published(folder), key=_place)
    of_tables = {table.path.with_suffix(".md") for table in tables}
    texts = [path for path in sorted(folder.glob("*/*.md")) if path not in of_tables]
    chapters = [_of_table(table, folder, anew=anew) for table in tables]
    others = [_of_text(path, folder) for path in texts]
    runs = sorted(path.relative_to(folder).as_posix() for path in folder.glob("scores/*.html"))
    book = html("book.html", home="", tables=chapters, texts=others, runs=runs)
    return write_text(folder / "index.html", book)


def _place(of: Published) -> tuple[float, Path]:
    spec, paper = of.table.spec, of.table.paper
    return (paper.number if paper and spec.name == spec.paper else float("inf"), of.path)


def _of_table(published: Published, folder: Path, *, anew: bool) -> Chapter:
    path, table, pictures = published.path.with_suffix(".html"), published.table, published.pictures
    of_table = digest(published.path)
    if not _is_kept(path, of_table, anew=anew):
        shown = page(
            published.results(), made_by=published.made_by, pictures=pictures, digest=of_table,
            galleries=0, pixels=1, files=data_of(published.path.parent, path.stem),
        )  # fmt: skip
        write_text(path, shown)
    title = numbered(table)
    picture = pictures.get("galleries") or next(iter(pictures.values()), None)
    return Chapter(
        title=title,
        link=path.relative_to(folder).as_posix(),
        picture=thumbnail(picture, title) if picture else None,
        table=table,
        digest=of_table,
        findings=findings_of(published.results(), published.made_by["configs"]),
        effects=effects(table),
    )


def _is_kept(path: Path, of_table: str, *, anew: bool) -> bool:
    """Whether a page is of this table, and has galleries or is not to be written again."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    is_of_it = f'<meta name="table" content="{of_table}">' in text
    return is_of_it and ('id="galleries"' in text or not anew)


def _of_text(path: Path, folder: Path) -> Chapter:
    """A Markdown file as a page; its pictures go into it."""
    source = path.read_text(encoding="utf-8")
    title = next((line[2:] for line in source.splitlines() if line.startswith("# ")), path.stem)
    files = data_of(path.parent, path.stem)
    text = text_page(source, title=title, home=HOME, files=files, pictures=path.parent)
    target = write_text(path.with_suffix(".html"), text)
    pictures = [path.with_suffix(".png"), *sorted(path.parent.glob("*.png"))]
    picture = next((thumbnail(each, title) for each in pictures if each.is_file()), None)
    body = text.partition('<article class="prose">')[2]
    about = re.search(r"<li>(.*?)</li>", body, re.S) or re.search(r"<p>(.*?)</p>", body, re.S)
    link = target.relative_to(folder).as_posix()
    return Chapter(title, link, picture, Markup(re.sub(r"<[^>]+>", "", about[1] if about else "")))


def text_page(
    source: str, *, title: str, home: str = "", files: Sequence[str] = (), pictures: Path = Path()
) -> str:
    """Markdown as a page; its pictures, in the folder `pictures`, go into it."""
    body = MarkdownIt("commonmark").enable("table").render(source)
    body = re.sub(r'src="([^":]+\.png)"', lambda found: _inlined(pictures, found), body)
    body = re.sub(r"<th([^>]*)></th>", r"<td\1></td>", body)
    body = _in_frames(body, title)
    return html("text.html", home=home, title=title, body=Markup(body), files=files)


def _in_frames(body: str, title: str) -> str:
    """Every table in a frame that scrolls, by the heading that it stands under."""
    parts, under = re.split(r"(<h\d>.*?</h\d>)", body), str(escape(title))
    for i, part in enumerate(parts):
        under = re.sub(r"<[^>]+>", "", part) if part.startswith("<h") else under
        frame = f'<div class="wide" tabindex="0" role="region" aria-label="{under}">'
        for k in range(part.count("<table>")):
            label = frame.replace(under, f"{under}, {k + 1}") if k else frame
            part = part.replace("<table>", f'{label}<table class="data">', 1)
        parts[i] = part.replace("</table>", "</table></div>")
    return "".join(parts)


def _inlined(folder: Path, found: re.Match) -> str:
    path = folder / found.group(1)
    if not path.is_file():
        return found.group(0)
    with Image.open(path) as image:
        return f'src="{webp(image.convert("RGB"), lossless=True)}"'
