"""The doctor looks at what a report of trouble needs, and says what stands in the way."""

import sys
from pathlib import Path

from experiments import doctor

START = Path(__file__).parents[2] / "docs" / "start.md"


def test_what_is_needed_and_missing_is_wrong_and_says_the_remedy(monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED", ("torch", "no-such-package"))
    lines = {line.what: line for line in doctor.examine()}
    assert not lines["torch"].wrong and lines["torch"].found[0].isdigit()
    assert lines["no-such-package"].wrong
    assert "pip install 'couple-to-control[suite]'" in lines["no-such-package"].found
    assert "commit" in lines["suite"].found


def test_it_needs_none_of_the_packages_that_it_looks_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "experiments.workers.provenance", None)
    assert doctor._suite().what == "couple-to-control"


def test_a_folder_is_tried_where_it_would_be_made(tmp_path):
    assert "can be written" in doctor._folder(tmp_path / "new" / "outputs").found
    (tmp_path / "file").write_text("")
    line = doctor._folder(tmp_path / "file" / "outputs")
    assert line.wrong and "set output_dir" in line.found


def test_a_hub_that_is_away_is_told_and_a_token_is_not(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_SECRET")
    line = doctor._hub()
    assert "http://127.0.0.1:9 does not answer" in line.found and "a token is set" in line.found
    assert "SECRET" not in line.found and not line.wrong


def test_the_status_tells_whether_anything_is_wrong(monkeypatch, capsys):
    found = [doctor.Line("good", "here"), doctor.Line("bad", "gone", wrong=True)]
    monkeypatch.setattr(doctor, "examine", lambda: iter(found))
    assert doctor.main([]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "  good             here",
        "! bad              gone",
    ]
    found.pop()
    assert doctor.main([]) == 0


def test_the_documentation_shows_what_it_prints():
    (shown,) = START.read_text("utf-8").split("```text\n")[1:]
    labels = [line[2:].split(" ")[0] for line in shown.partition("```")[0].splitlines()]
    printed = [line.what for line in doctor.examine()]
    assert labels == [label for label in printed if not label.startswith(("cuda:", "mps"))]
    assert str(Path.home()) not in shown
