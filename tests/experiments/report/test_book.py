"""What was published is read back as it was, and the book links all of it."""

import re
import shutil
from pathlib import Path

import pytest

from experiments.errors import UsageError
from experiments.report.book import write_book
from experiments.report.committed import digest, published
from experiments.tables.typeset import markdown

RESULTS = Path(__file__).parents[3] / "results"
TABLES = published(RESULTS)


each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.path.parent.name)


@each_table
def test_a_published_table_is_read_back_whole(table):
    assert markdown(table.table) == table.path.with_suffix(".md").read_text(encoding="utf-8")
    means = table.scores.groupby(["row", "metric"])["value"].mean()
    for cell in table.table.cells:
        assert means[cell.row, cell.metric] == pytest.approx(cell.mean, rel=1e-4)


@each_table
def test_the_pages_are_of_the_tables_that_stand_beside_them(table):
    """Where not: `make report`."""
    of_table = digest(table.path)
    assert of_table in table.path.with_suffix(".html").read_text(encoding="utf-8")
    assert of_table in (RESULTS / "index.html").read_text(encoding="utf-8")


def test_the_book_links_every_table_and_leaves_pages_of_runs(tmp_path):
    for name in ("table4", "table7", "theory"):
        shutil.copytree(RESULTS / name, tmp_path / name)
        for made in (tmp_path / name).glob("*.html"):
            made.unlink()
    of_table = digest(tmp_path / "table4" / "tiny.json")
    own, old = tmp_path / "table4" / "tiny.html", tmp_path / "table7" / "tiny.html"
    page = '<meta name="table" content="{}"><section id="galleries">'
    own.write_text(page.format(of_table))
    old.write_text(page.format("another"))
    index = write_book(tmp_path)
    text = index.read_text(encoding="utf-8")
    for link in ("table4/tiny.html", "table7/tiny.html", "theory/theory.html"):
        assert f'href="{link}"' in text and (tmp_path / link).is_file()
    assert own.read_text() == page.format(of_table)
    assert 'content="another"' not in old.read_text(encoding="utf-8")
    theory = (tmp_path / "theory" / "theory.html").read_text(encoding="utf-8")
    assert theory.count("data:image/webp;base64,") == theory.count("<img ") > 0
    assert write_book(tmp_path).read_text(encoding="utf-8") == text
    statements = re.findall(r"<blockquote>\s*<p>(.*?)</p>", theory)
    assert len(statements) == theory.count("It holds.") == 7


def test_tables_stand_in_the_papers_order():
    text = (RESULTS / "index.html").read_text(encoding="utf-8")
    titles = re.findall(r'<h3><a href="[^"]*">(.*?)</a></h3>', text)
    numbers = [int(title.split()[1].strip(":")) for title in titles if title.startswith("Table ")]
    assert numbers == sorted(numbers) and len(numbers) == 8
    assert all(title.startswith("Table ") for title in titles[: len(numbers)])


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(UsageError, match="gone is no folder"):
        write_book(tmp_path / "gone")
