"""workers=local: how many batches are made at once."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from experiments.cells.build import cells_of
from experiments.compose import build, compose, rows_of
from experiments.errors import UsageError
from experiments.workers.lanes import cores


def workers(*overrides: str):
    return build("workers", compose(overrides))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    overrides = [f"output_dir={tmp_path_factory.mktemp('outputs')}"]
    (cell,) = cells_of(rows_of(compose(overrides), overrides))
    return cell.production.recipe


@pytest.mark.parametrize("threads", [1, 2, 4096])
def test_on_a_cpu_the_cores_are_divided_among_lanes(recipe, threads):
    lanes = workers(f"workers.threads={threads}").at_once(recipe)
    assert lanes == max(1, cores() // threads)


def test_another_device_has_one_lane(recipe):
    on_gpu = replace(recipe, model=SimpleNamespace(device=torch.device("cuda")))
    assert workers().at_once(on_gpu) == 1
    assert workers("workers.lanes=3").at_once(on_gpu) == 3


def test_it_says_where_galleries_are_made_and_which_cards_are_idle(recipe, monkeypatch):
    assert workers("workers.lanes=2").told(recipe) == "on cpu, 2 batches at once"
    on_gpu = replace(recipe, model=SimpleNamespace(device=torch.device("cuda")))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    assert workers("workers=local").told(on_gpu).startswith("on cuda, 7 GPUs idle: ")


@pytest.mark.parametrize("lanes", ["0", "many"])
def test_lanes_out_of_range_are_named(lanes):
    with pytest.raises(UsageError, match=f"workers.lanes = {lanes} must be auto or at least 1"):
        workers(f"workers.lanes={lanes}")
