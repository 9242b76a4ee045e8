"""The table of docs/plugin.md is what the small pipelines, and diffusers, are."""

import inspect
import re
from pathlib import Path

import diffusers
import pytest

from tests.plugins.boxes import SQUARE
from tests.plugins.cases import CASES, built

PAGE = (Path(__file__).parents[2] / "docs" / "plugin.md").read_text(encoding="utf-8")
ROWS = {
    cells[0].split(",")[0]: cells[1:]
    for line in re.findall(r"^\| (\w+Pipeline.*) \|$", PAGE, flags=re.MULTILINE)
    for cells in [line.split(" | ")]
}
PROMPTS = {(False, False): "any", (True, False): "of one length", (True, True): "one"}


def test_it_names_those_that_are_tested_and_no_others():
    tested = {type(built(name)).__name__ for name in CASES}
    assert tested == {name for name, cells in ROWS.items() if cells[-1] == "small"}
    assert len(tested) == 20  # as the README says


@pytest.mark.parametrize("name", CASES)
def test_its_shapes_and_prompts_are_those_of_the_small_pipeline(name):
    drawn, accepted, _, prompts, optimised, _ = ROWS[type(built(name)).__name__]
    case = CASES[name]
    assert drawn.count(",") + 1 == len(case.drawn)
    assert accepted.count(",") + 1 == len(case.accepted)
    assert (drawn == accepted) == (case.drawn == case.accepted)
    assert prompts == PROMPTS[case.mixes, case.mixes_all]
    assert (optimised == "yes") == (name in SQUARE)


@pytest.mark.parametrize("name", ROWS)
def test_its_pipelines_take_latents_and_the_guidance_that_it_names(name):
    taken = inspect.signature(getattr(diffusers, name).__call__).parameters
    named = set(re.findall(r"\w*(?:scale|negative_prompt)", ROWS[name][2]))
    assert named and named | {"latents"} <= taken.keys()
