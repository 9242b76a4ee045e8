"""Every optimiser and steering of configs/, as a run composes it, on the paper's families."""

from pathlib import Path

import numpy as np
import pytest

from experiments.compose import build, compose
from experiments.methods.coupled import Coupled
from experiments.methods.method import generate
from experiments.tasks.job import jobs_of

CONFIGS = Path(__file__).parents[3] / "configs"
FAMILIES = {"sd": "sd15", "sdxl": "sdxl", "sd3_without_t5": "sd3"}
BLOCK = {
    "sd": "mid_block.attentions.0.transformer_blocks.0",
    "sdxl": "mid_block.attentions.0.transformer_blocks.0",
    "sd3_without_t5": "transformer_blocks.0",
}
JOBS = jobs_of(["a red bed"])


def choices(group: str) -> list[str]:
    return sorted(f"{group}={path.stem}" for path in (CONFIGS / group).glob("*.yaml"))


def gallery(model, family: str, choice: str):
    """The gallery of a method, and what a plan says of its cost."""
    given = [f"model={FAMILIES[family]}", choice, "judge=bundled", "cno.window=2"]
    if choice == "steering=dave":
        given.append(f"steering.blocks=[{BLOCK[family]}]")
    config = compose(given)
    parts = (build(name, config) for name in ("coupling", "optimizer", "steering"))
    method = Coupled(*parts)
    method.check(model, JOBS)
    (made,) = generate(model, method, JOBS, seed=0, galleries_per_batch=1)
    return made, method.cost(model)


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def plain(families, family):
    """A model of a family, and a gallery of it that nothing acts on."""
    model = families(family).model(guidance=6.0)
    return model, gallery(model, family, "steering=none")[0]


@pytest.mark.parametrize("choice", [*choices("optimizer"), *choices("steering")])
def test_a_method_runs_acts_and_costs_what_its_plan_says(plain, family, choice):
    model, without = plain
    made, cost = gallery(model, family, choice)
    acts = not choice.endswith("=none")
    assert np.array_equal(made.images, without.images) != acts
    assert cost == (made.passes, made.rows)
