"""What a number was made with: the suite's version and commit, wherever the suite lies."""

import json
import subprocess
from importlib.metadata import version

import hydra
import pytest

from experiments.compose import CONFIGS
from experiments.run import run
from experiments.workers import provenance
from experiments.workers.provenance import suite

CHECKOUTS = [
    {"suite": "0.1.0", "commit": None, "tree": None},
    {"suite": "0.1.0", "commit": "a" * 40, "tree": "changed"},
]


def test_the_commit_and_the_tree_are_those_of_the_checkout_alone(tmp_path):
    """A file that git does not know changes nothing; a folder in a repository is no checkout."""

    def git(*arguments):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path)]
        return subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)

    def found(root):
        suite.cache_clear()
        return suite(root)

    installed = {"suite": version("couple-to-control"), "commit": None, "tree": None}
    assert found(tmp_path) == installed
    git("init")
    (tmp_path / "code.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "first")
    commit = git("rev-parse", "HEAD").stdout.strip()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "unknown.py").write_text("2")
    assert found(tmp_path) == installed | {"commit": commit, "tree": "clean"}
    (tmp_path / "code.py").write_text("2")
    assert found(tmp_path) == installed | {"commit": commit, "tree": "changed"}
    assert found(tmp_path / "notes") == installed


@pytest.fixture
def made_at(tmp_path, monkeypatch):
    """Runs a small table with a suite of the given provenance."""

    def made_at(checkout):
        monkeypatch.setattr(provenance, "suite", lambda: checkout)
        monkeypatch.setattr("experiments.report.publish.suite", lambda: checkout)
        provenance.provenance.cache_clear()
        here = [f"output_dir={tmp_path / 'outputs'}", f"results_dir={tmp_path / 'results'}"]
        few = ["task.num_prompts=2", "model.num_steps=2", "workers.galleries_per_batch=2"]
        overrides = ["experiment=demo", *few, "report.galleries=1", *here]
        with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
            run(hydra.compose("config", overrides=overrides), overrides=overrides)
        return tmp_path

    yield made_at
    provenance.provenance.cache_clear()


@pytest.mark.walks
def test_galleries_scores_and_tables_name_the_suite_and_no_key_holds_it(made_at, capsys):
    """Another commit writes the table again; its galleries and scores are still the first's."""
    first, later = CHECKOUTS
    for checkout in CHECKOUTS:
        folder = made_at(checkout)
        (table,) = (json.loads(path.read_text()) for path in folder.glob("results/*/tiny*.json"))
        assert table["made_by"]["suite"] == checkout
        for made in table["provenance"].values():
            assert {name: made[name] for name in first} == {k: [v or ""] for k, v in first.items()}
    assert capsys.readouterr().out.count("nothing to generate") == 2
    lines = [path.read_text().splitlines() for path in folder.glob("outputs/*/manifest.jsonl")]
    entries = [json.loads(line) for cell in lines for line in cell]
    assert len(lines) == 2 and len(entries) == 4
    assert all(entry["made_with"].items() >= first.items() for entry in entries)
    page = next(folder.glob("results/*/tiny.html")).read_text()
    assert f"Written by this suite, version 0.1.0, commit {later['commit']}, tree changed." in page
