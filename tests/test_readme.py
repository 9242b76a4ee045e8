"""The README is short, its table of hours adds up, and its map is the code's."""

import re
from pathlib import Path

import pytest

import experiments
from experiments.tables import paper

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_read_in_a_few_minutes():
    assert len(README.splitlines()) <= 150


def test_its_map_is_the_one_in_the_code_and_names_every_room():
    (drawn,) = re.findall(r"```text\n(.*?)```", README, flags=re.DOTALL)
    drawn = drawn.replace("/", " ")
    assert drawn in experiments.__doc__
    rooms = {path.parent.name for path in (ROOT / "experiments").glob("*/__init__.py")}
    assert {line.split()[0] for line in drawn.splitlines()} == rooms


def test_hours_on_a_gpu_are_the_papers_seconds_times_the_galleries():
    """With the paper's numbers of prompts; sizes other than three in proportion."""
    reported = paper.values("table4", "sd15")
    plain, cno = (reported[row]["seconds"][0] for row in ("iid", "iid+cno"))
    passes = 3 * 50  # of a gallery: previews add one for each candidate
    galleries = {
        "Table 1": 2000 * 2 * (plain + cno),
        "Table 4": 40 * 3 * 2 * (plain + cno),
        "Table 5": 500 * 2 * (2 + 3 + 4 + 5) / 3 * plain,
        "Table 6": 100 * 5 * plain,
        "Table 7": 500 * 3 * 4 / 3 * plain,
        "Equal compute": 300
        * (
            (3 + 4 + 5 + 3) / 3 * plain
            + 3 * cno
            + 4 * plain
            + (3 + 6 + 9 + 12) / passes * plain
            + cno
            + 9 / passes * plain
        ),
    }
    for name, seconds in galleries.items():
        (line,) = (line for line in README.splitlines() if re.match(rf"\| \[?{name}\]?", line))
        hours = float(re.search(r"([\d.]+) h\b", line.split("|")[5]).group(1))
        assert hours == pytest.approx(seconds / 3600, rel=0.05), name
