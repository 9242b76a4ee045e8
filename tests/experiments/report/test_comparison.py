"""Two folders of results: a change that was made on purpose is found and named."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from experiments.compare import main
from experiments.errors import UsageError
from experiments.report.comparison import compare

RESULTS = Path(__file__).parents[3] / "results"


@pytest.fixture
def changed(tmp_path):
    """Two copies of Table 7; B's is changed by a function of its JSON."""

    def changed(change) -> tuple[Path, Path]:
        for name in "ab":
            shutil.copytree(RESULTS / "table7", tmp_path / name / "table7")
        path = tmp_path / "b" / "table7" / "tiny.json"
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))
        return tmp_path / "a", tmp_path / "b"

    return changed


def test_nothing_moves_between_equals(changed):
    assert compare(*changed(lambda document: None)) == ([], [])


def test_another_convention_of_a_metric_is_named_with_what_it_moved(changed, capsys, tmp_path):
    def change(document):
        document["provenance"]["gap"]["convention_version"] = ["2"]
        for cell in document["cells"]:
            cell["mean"] *= 2 if cell["metric"] == "gap" else 1 + 1e-12

    a, b = changed(change)
    moved, lines = compare(a, b)
    assert {each.metric for each in moved} == {"gap"} and len(moved) == 3
    assert {each.by for each in moved} == {"+100.00 %"}
    (line,) = lines
    assert line.startswith("table7/tiny: convention_version was ") and line.endswith("is 2 (gap)")
    main([str(a), str(b), "--page", str(tmp_path / "page.html")])
    assert "Means that moved: 3. Inputs that changed: 1." in capsys.readouterr().out
    assert line.partition(" was ")[0] in (tmp_path / "page.html").read_text()


def test_another_setting_is_named_with_its_rows(changed):
    def change(document):
        for row in ("iid", "learned"):
            document["made_by"]["configs"][row]["model"]["guidance"] = 6.0

    assert compare(*changed(change)) == (
        [], ["table7/tiny: model.guidance was 5.0, is 6.0 (iid, learned)"],
    )  # fmt: skip


def test_what_is_in_one_alone_is_said(changed):
    a, b = changed(lambda document: None)
    shutil.copytree(RESULTS / "table4", b / "table4")
    assert compare(a, b) == ([], ["table4/tiny is only in B"])
    with pytest.raises(UsageError, match="no folder"):
        compare(a, b / "gone")


def test_two_commits_are_compared_as_two_folders_are(changed, monkeypatch, capsys):
    def change(document):
        document["provenance"]["gap"]["convention_version"] = ["2"]
        document["cells"][0]["mean"] *= 2

    a, b = changed(change)
    monkeypatch.chdir(a.parent)
    git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-c", "core.hooksPath=/dev/null"]
    subprocess.run(["git", "init", "-q"], check=True)
    for folder in (a, b):
        shutil.rmtree("results", ignore_errors=True)
        shutil.copytree(folder, "results")
        subprocess.run(["git", "add", "results"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", folder.name], check=True)
    shutil.rmtree("results")  # as committed, whatever lies in the tree
    main(["HEAD~1", "HEAD"])
    said = capsys.readouterr().out
    assert said.startswith(
        "# HEAD~1 (A) and HEAD (B)\n\nMeans that moved: 1. Inputs that changed: 1."
    )
    assert "- table7/tiny: convention_version was " in said
    for words in (["HEAD~2", "HEAD"], ["HEAD", "HEAD", "--folder", "gone"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 1
        assert "is no folder, and no commit with" in capsys.readouterr().err
