"""An exported book holds its tables whole; several become one, and two numbers are never one."""

import json
import shutil
from pathlib import Path

import pytest

from experiments.book import main
from experiments.errors import UsageError
from experiments.report.comparison import compare
from experiments.report.exchange import export, merge

RESULTS = Path(__file__).parents[3] / "results"
FORMS = ("tiny.json", "tiny-scores.csv", "tiny.csv", "tiny.md", "tiny.tex")


@pytest.fixture(scope="module")
def books(tmp_path_factory) -> tuple[Path, Path]:
    """Tables 4 and 7, each exported from a folder of its own."""
    folder = tmp_path_factory.mktemp("books")
    for name in ("table4", "table7"):
        shutil.copytree(RESULTS / name, folder / f"of-{name}" / name)
        export(folder / f"of-{name}", folder / name)
    return folder / "table4", folder / "table7"


@pytest.fixture
def changed(books, tmp_path):
    """Table 7 exported again, after a function of its JSON and one of its CSV's text."""

    def changed(change=lambda document: None, scores=lambda text: text) -> Path:
        place = tmp_path / "other" / "table7"
        large = shutil.ignore_patterns("*-galleries.*")
        shutil.copytree(RESULTS / "table7", place, ignore=large)
        document = json.loads((place / "tiny.json").read_text())
        change(document)
        (place / "tiny.json").write_text(json.dumps(document))
        text = (place / "tiny-scores.csv").read_text()
        (place / "tiny-scores.csv").write_text(scores(text))
        export(tmp_path / "other", tmp_path / "again")
        return tmp_path / "again"

    return changed


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_books_become_one_with_every_digit_and_its_pages(books, tmp_path, capsys):
    main(["merge", *map(str, books), "--folder", str(tmp_path)])
    assert "2 tables are new" in capsys.readouterr().out
    for table in ("table4", "table7"):
        for name in FORMS:  # from Parquet and JSON the same bytes as were committed
            assert (tmp_path / table / name).read_bytes() == (RESULTS / table / name).read_bytes()
        assert f'href="{table}/tiny.html"' in (tmp_path / "index.html").read_text()
    assert {path.name for path in books[1].glob("table7/*")} == {
        "tiny.json", "tiny-scores.parquet", "tiny-effects.webp", "tiny-galleries.webp"
    }  # fmt: skip
    assert "Figure: galleries" in (tmp_path / "table7" / "tiny.html").read_text()
    assert compare(books[1], tmp_path)[0] == []  # an exported book is a folder of tables
    before = files(tmp_path)
    assert merge(tmp_path, books) == [] and files(tmp_path) == before


def test_two_numbers_for_one_key_are_refused_and_nothing_is_written(books, changed, tmp_path):
    def change(document):
        document["cells"][0]["mean"] += 1e-9

    cell = json.loads((RESULTS / "table7" / "tiny.json").read_text())["cells"][0]
    other = changed(change)
    with pytest.raises(UsageError, match=f"two numbers for {cell['row']} / {cell['metric']}: "):
        merge(tmp_path / "new", [books[0], books[1], other])
    assert not (tmp_path / "new").exists()


def test_another_score_of_one_prompt_is_found(books, changed, tmp_path):
    other = changed(scores=lambda text: text[:-2] + str((int(text[-2]) + 1) % 10) + "\n")
    with pytest.raises(UsageError, match=r"two numbers for .* and for 0 more"):
        merge(tmp_path / "new", [books[1], other])


def test_other_rows_under_one_name_are_refused(books, changed, tmp_path):
    def drop(text: str) -> str:
        return "".join(text.splitlines(keepends=True)[:-1])

    with pytest.raises(UsageError, match="other rows, metrics or prompts"):
        merge(tmp_path / "new", [books[1], changed(scores=drop)])


def test_equal_numbers_of_two_machines_are_one_table(books, changed, tmp_path):
    def change(document):
        document["made_by"]["suite"] = {"suite": "0", "commit": "another", "tree": "clean"}

    assert merge(tmp_path / "new", [books[1], changed(change)]) == ["table7/tiny"]
    kept = json.loads((tmp_path / "new" / "table7" / "tiny.json").read_text())["made_by"]
    assert kept == json.loads((RESULTS / "table7" / "tiny.json").read_text())["made_by"]


def test_a_file_that_is_not_as_it_was_exported_is_refused(books, tmp_path):
    shutil.copytree(books[1], tmp_path / "book")
    with (tmp_path / "book" / "table7" / "tiny-scores.parquet").open("ab") as file:
        file.write(b"0")
    with pytest.raises(UsageError, match=r"tiny-scores\.parquet is not the file that was exported"):
        merge(tmp_path / "new", [tmp_path / "book"])
    with pytest.raises(UsageError, match="is no exported book"):
        merge(tmp_path / "new", [RESULTS])


def test_nothing_is_exported_over_what_is_there_or_from_nothing(tmp_path):
    with pytest.raises(UsageError, match="is there already"):
        export(RESULTS, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no tables to export"):
        export(tmp_path / "empty", tmp_path / "out")
