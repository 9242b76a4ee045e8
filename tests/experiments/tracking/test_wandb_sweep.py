"""The sweep that is offered to Weights & Biases: what its agent starts is a run that there is."""

from itertools import product

import yaml

from experiments.cells.build import cells_of
from experiments.cells.plan import plan
from experiments.compose import CONFIGS, compose, read_once, rows_of

SWEEP = yaml.safe_load((CONFIGS / "wandb-sweep.yaml").read_text(encoding="utf-8"))


def started() -> list[list[str]]:
    """The words of every run of the grid, as the agent puts them for ${args_no_hyphens}."""
    values = {
        name: given.get("values", [given.get("value")])
        for name, given in SWEEP["parameters"].items()
    }
    own = [word for word in SWEEP["command"] if "=" in word]
    return [
        [*own, *(f"{name}={value}" for name, value in zip(values, chosen, strict=True))]
        for chosen in product(*values.values())
    ]


def test_every_combination_is_a_cell_of_its_own_that_can_be_planned(tmp_path):
    places = set()
    with read_once():
        more = ["plan=true", f"output_dir={tmp_path}", "task.num_prompts=2"]
        configs = [(compose([*words, *more]), [*words, *more]) for words in started()]
    for config, words in configs:
        (cell,) = cells_of(rows_of(config, words))
        assert "2 of 2 galleries to generate" in " ".join(plan(cell))
        places.add(cell.place)
    assert len(places) == len(started()) == 18


def test_the_agent_starts_the_main_job_with_tracking_and_looks_at_what_it_tells():
    assert SWEEP["command"][:4] == ["${env}", "${interpreter}", "-m", "experiments.run"]
    assert "tracking=wandb" in SWEEP["command"] and SWEEP["command"][-1] == "${args_no_hyphens}"
    metric, _, moment = SWEEP["metric"]["name"].partition(".")
    assert moment == "mean" and metric in compose([]).metrics.scores
