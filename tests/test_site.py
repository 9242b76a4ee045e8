"""The documentation as a site: built without a warning, complete, and no link of it is broken."""

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """What a page links to, what it loads, and its anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.links, self.loads, self.anchors = path, [], [], {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors.update(given[name] for name in ("id", "name") if given.get(name))
        (self.links if tag == "a" else self.loads).extend(
            given[name] for name in ("href", "src") if given.get(name)
        )

    def missing(self, site: dict[Path, "Page"]) -> list[str]:
        """The links and loads that lead nowhere in the site."""
        return [url for url in (*self.links, *self.loads) if not self._leads(url, site)]

    def _leads(self, url: str, site: dict[Path, "Page"]) -> bool:
        parts = urlsplit(url)
        if parts.scheme:
            return True
        file = (self.path.parent / unquote(parts.path)).resolve() if parts.path else self.path
        file = file / "index.html" if file.is_dir() else file
        return file.is_file() and (file not in site or parts.fragment in site[file].anchors)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> dict[Path, Page]:
    """The pages, by their files; the runs' own pages, which have tests of their own, are not."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, check=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    return {path: Page(path) for path in sorted(folder.rglob("index.html"))}


def test_no_link_is_broken(site):
    assert sum(len(page.links) for page in site.values()) > 1000
    assert {path: page.missing(site) for path, page in site.items() if page.missing(site)} == {}


def test_a_page_needs_no_network(site):
    outside = {url for page in site.values() for url in page.loads if urlsplit(url).netloc}
    assert outside == set()


def test_every_committed_table_has_a_page_with_its_figures(site):
    (top,) = (path.parent for path in site if len(path.parts) == min(len(p.parts) for p in site))
    for table in ROOT.glob("results/*/*.md"):
        page = site[top / table.relative_to(ROOT).with_suffix("") / "index.html"]
        figures = {path.name for path in table.parent.glob(f"{table.stem}*.png")}
        assert figures <= {Path(url).name for url in page.loads}, table


def test_formulas_are_drawn_and_examples_are_code(site):
    pages = {path.parent.name: path.read_text("utf-8") for path in site}
    assert pages["concepts"].count("<math") > 20
    assert not any("arithmatex" in text for text in pages.values())
    for name in ("coupling", "metrics", "experiments"):
        assert "<blockquote>" not in pages[name]
    assert "repulsive" in pages["coupling"] and "pairwise_l2" in pages["metrics"]
