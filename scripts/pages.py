"""What makes a site of the repository's pages: hooks of mkdocs and griffe, for `make docs`.

A page keeps its place in the repository, less `docs/`. What a page links to comes along: Markdown
as a page, code as a listing, all else as the file that it is. So results are read where they are
committed, and a table's page has the figures that lie beside it.
"""

import html
import posixpath
import re
from pathlib import Path, PurePosixPath
from typing import Any

import griffe
from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#\s]+)")
MATH = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', flags=re.DOTALL)
LISTED = {".py": "python", ".yaml": "yaml"}
OUTSIDE = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]


def on_files(files: Files, config: Any) -> Files:
    """Adds what lies outside `docs/`: the results, and all that is linked."""
    paths = [path.relative_to(ROOT).as_posix() for folder in ("docs", "results")
             for path in sorted((ROOT / folder).rglob("*.md"))]  # fmt: skip
    paths += OUTSIDE
    for path in paths:  # grows as it goes
        text = _text(path) if path.endswith(".md") else ""
        linked = [_joined(path, target) for target in LINK.findall(text)]
        new = [other for other in dict.fromkeys(linked) if other not in paths]
        paths += [other for other in new if (ROOT / other).is_file()]
        if not path.startswith("docs/"):
            files.append(_file(path, text, config))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links as the site has them, from where the page lies in the repository."""
    here = page.file.src_uri
    path = here if (ROOT / here).is_file() else f"docs/{here}"
    if not (ROOT / path).is_file():
        return markdown  # a listing has no links

    def turned(match: re.Match[str]) -> str:
        target = _joined(path, match[1])
        return posixpath.relpath(_place(target), posixpath.dirname(here) or ".")

    return LINK.sub(turned, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Formulas as MathML, which browsers draw themselves."""
    return MATH.sub(_formula, html)


class Readable(griffe.Extension):
    """Docstrings as Markdown means them: examples fenced, < and * as they stand."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            paragraphs = obj.docstring.value.split("\n\n")
            obj.docstring.value = "\n\n".join(map(_readable, paragraphs))

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        self.on_object(obj=pkg)


def _readable(paragraph: str) -> str:
    if paragraph.startswith(">>> "):
        return f"```pycon\n{paragraph}\n```"
    if paragraph.startswith("    "):
        return paragraph
    parts = paragraph.split("`")  # code at every second place
    for place, text in enumerate(parts[::2]):
        text = re.sub(r"\*(?=\w+\))", r"\\*", text)  # (K, *shape)
        parts[2 * place] = re.sub(r"<(?=\w)", "&lt;", text)  # <x, y>
    return "`".join(parts)


def _formula(match: re.Match[str]) -> str:
    display = "block" if match[1] == "div" else "inline"
    return str(convert(html.unescape(match[2]), display=display))


def _file(path: str, text: str, config: Any) -> File:
    hidden = InclusionLevel.NOT_IN_NAV
    source = ROOT / path
    if source.suffix in LISTED:
        text = f"# {path}\n\n````{LISTED[source.suffix]}\n{_text(path)}\n````\n"
    elif source.suffix != ".md":
        return File.generated(config, path, abs_src_path=str(source), inclusion=hidden)
    return File.generated(config, _place(path), content=text, inclusion=hidden)


def _text(path: str) -> str:
    """The Markdown of a file, and beneath a table all figures that lie beside it."""
    source = ROOT / path
    text = source.read_text(encoding="utf-8")
    if not path.startswith("results/") or source.suffix != ".md":
        return text
    beside = sorted(source.parent.glob(f"{source.stem}*.png"))
    figures = [f"![{file.stem}]({file.name})" for file in beside if f"({file.name})" not in text]
    page = source.with_suffix(".html")
    more = [f"[The page of this run]({page.name})"] if page.is_file() else []
    wide = "---\nhide: [toc]\n---\n"
    return "\n\n".join([wide + text, *more, *(["## Figures"] if figures else []), *figures])


def _joined(path: str, target: str) -> str:
    """Where a link of the page `path` leads, in the repository."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def _place(path: str) -> str:
    """Where a file of the repository lies in the site's sources."""
    place = path.removeprefix("docs/")
    return f"{place}.md" if PurePosixPath(place).suffix in LISTED else place
