"""workers=ray before any actor starts: what is missing is named, and no model is loaded."""

import sys
from unittest.mock import MagicMock

import pytest
import torch
from ray import cloudpickle

from experiments.cells.build import cells_of
from experiments.compose import compose, rows_of
from experiments.errors import UsageError
from experiments.models.stable_diffusion import StableDiffusion
from experiments.workers.actors import RayWorkers
from experiments.workers.worker import probe


def cell(tmp_path, *overrides: str):
    here = [f"output_dir={tmp_path}", f"results_dir={tmp_path}", "workers=ray", *overrides]
    (cell,) = cells_of(rows_of(compose(here), here))
    return cell


def test_the_driver_has_the_weights_and_loads_no_model(tmp_path, monkeypatch):
    monkeypatch.setattr(StableDiffusion, "load", lambda **_: pytest.fail("loads it"))
    fetched = []
    monkeypatch.setattr(StableDiffusion, "fetch", lambda **values: fetched.append(values))
    monkeypatch.setattr(RayWorkers, "_connect", MagicMock())
    cell(tmp_path, "task.num_prompts=1").production.prepare()
    assert fetched[0]["source"].endswith("tiny/pipeline")


def test_without_ray_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'couple-to-control\[ray\]'"):
        cell(tmp_path, "task.num_prompts=1").production.prepare()


@pytest.mark.parametrize(
    "method",
    [
        ["coupling=low_frequency"],
        ["coupling=equicorrelated", "coupling.rho=-0.25"],
        ["coupling=matrix", "coupling.matrix=[[1,0],[0.6,0.8]]", "task.gallery_size=2"],
        ["optimizer=cno"],
        ["optimizer=preview_cno"],
        ["optimizer=reward"],
    ],
)
def test_what_an_actor_is_told_is_small_and_means_the_same(tmp_path, method):
    """Everything but the weights, in a few kilobytes."""
    recipe = cell(tmp_path, *method).production.recipe
    sent = cloudpickle.dumps(recipe)  # as Ray does
    assert len(sent) < 100_000
    received = cloudpickle.loads(sent)
    assert (received.seed, received.inputs, received.model) == (
        recipe.seed,
        recipe.inputs,
        recipe.model,
    )
    law, again = recipe.method.coupling, received.method.coupling
    shape = (4, 16, 16)
    assert torch.equal(again.sample(shape, seed=3), law.sample(shape, seed=3))


@pytest.mark.parametrize("wrong", ["workers.num=0", "workers.batch_seconds=-1"])
def test_a_number_out_of_range_is_named(tmp_path, wrong):
    name, value = wrong.split("=")
    with pytest.raises(UsageError, match=f"{name} = {value} must be positive"):
        cell(tmp_path, wrong)


class FakeRay:
    """Answers are what actors were asked for: the first that starts has died."""

    class exceptions:
        class RayError(Exception): ...

    def __init__(self):
        self.started = 0

    def cluster_resources(self):
        return {"CPU": 2}

    def remote(self, **share):
        return lambda actor: self

    def options(self, **given):
        return MagicMock(remote=lambda *there: self._actor())

    def _actor(self):
        self.started += 1
        actor = MagicMock()
        actor.name.remote.return_value = f"name of {self.started}"
        actor.attempt.remote.return_value = "size"
        return actor

    def wait(self, refs, num_returns, timeout):
        return refs[:1], refs[1:]

    def get(self, ref, timeout=None):
        if ref == "name of 1":
            raise self.exceptions.RayError("no GPU answers")
        return 8 if ref == "size" else ("host", 1)


@pytest.mark.parametrize("retries, size", [(3, 8), (0, None)])
def test_a_first_actor_that_does_not_start_is_tried_again(tmp_path, monkeypatch, retries, size):
    production = cell(tmp_path, "task.num_prompts=1", f"workers.retries={retries}").production
    ray = FakeRay()
    monkeypatch.setattr("experiments.workers.actors._ray", lambda: ray)
    monkeypatch.setattr(RayWorkers, "_connect", lambda _: ray)
    if size:
        assert production.workers.ask(probe, production.recipe, MagicMock()) == size
        assert ray.started == 2
    else:
        with pytest.raises(UsageError, match="a Ray worker does not start: no GPU answers"):
            production.workers.ask(probe, production.recipe, MagicMock())
