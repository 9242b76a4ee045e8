"""The store of many galleries is one that runs go on from, verify, score and tabulate."""

import json

from experiments.bench import scaling
from experiments.galleries.folder import Archive, cell_key
from scripts import scaling as script


def test_what_is_measured_finds_what_the_store_holds(tmp_path, monkeypatch):
    """Each part asserts what it has found."""
    monkeypatch.setattr(scaling, "MISSING", 10)
    monkeypatch.setattr(scaling, "IMAGES", 2)
    monkeypatch.setattr(scaling, "alone", scaling._found)
    found = scaling.measure(40, tmp_path)
    assert found.keys() == script.PARTS.keys()
    assert all(one.seconds > 0 and one.memory > 0 for one in found.values())
    cell = tmp_path / f"scaling-{cell_key(scaling.INPUTS)}"
    entries, torn = Archive.at(cell).entries()
    assert len(entries) == 36 and torn == []
    script._write({40: found}, tmp_path / "written")
    assert json.loads((tmp_path / "written.json").read_text())["40"].keys() == found.keys()
    text = (tmp_path / "written.md").read_text()
    assert text.count("| 40 | 160 |") == len(found)
