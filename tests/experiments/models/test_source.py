"""Where a model comes from: loaded once, sent whole, named by what it is; mistakes told early."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import sleep
from types import SimpleNamespace

import pytest

from experiments.cells.build import model_of
from experiments.compose import compose
from experiments.errors import UsageError
from experiments.models import Execution
from experiments.models.hub import Unfetched, resolve
from experiments.models.source import ModelSource


@pytest.fixture
def source() -> ModelSource:
    return model_of(compose(["model=tiny", "model.device=cpu"]))


def test_a_model_is_loaded_once_and_another_replaces_it(source):
    model = source.load()
    assert source.load() is model
    received = pickle.loads(pickle.dumps(source))
    assert received == source and received.load() is model
    other = replace(source, settings={**source.settings, "num_steps": 2}).load()
    assert other.process.num_steps == 2
    assert source.load() is not model


def test_it_is_run_as_its_execution_says(source):
    last = Execution(channels_last=True, compiled=False)
    assert replace(source, execution=last).load().execution == last


def test_what_a_model_is_does_not_say_where_it_lies(source, tmp_path):
    inputs = source.inputs()
    assert inputs["_target_"] == "experiments.models.StableDiffusion"
    assert inputs["dtype"] == "torch.float32"
    assert not inputs.keys() & {"source", "revision", "device"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.symlink_to(Path(source.settings["source"]))
    moved = {"source": str(elsewhere), "revision": "main", "dtype": "auto"}
    assert replace(source, settings={**source.settings, **moved}).inputs() == inputs
    changed = replace(source, settings={**source.settings, "guidance": 2.0})
    assert changed.inputs() == {**inputs, "guidance": 2.0}


def test_fetching_wants_the_parts_of_the_family(source, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "experiments.models.model.resolve",
        lambda *args, **options: asked.append(resolve(*args, **options)),
    )
    source.fetch()
    assert asked == [Path(source.settings["source"])]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["+model.foo=1"], "StableDiffusion has no setting foo"),
        (["~model.dtype"], "StableDiffusion is missing .*'dtype'"),
        (["~model.name"], "StableDiffusion is missing .*'name'"),
        (["~model.guidance"], "StableDiffusion is missing .*'guidance'"),
        (["model=sd3", "~model.t5"], "SD3 lacks its setting t5"),
        (["model=tiny_ddpm", "model.guidance=2"], "an unconditional model takes 1 only"),
        (["model._target_=torch.nn.Linear"], "torch.nn.Linear is no family of models"),
        (["model._target_=experiments.models.SDXL.load"], "is no family of models"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_fetched(overrides, message):
    with pytest.raises(UsageError, match=message) as caught:
        model_of(compose(overrides))
    assert "\n" not in str(caught.value)


def test_lanes_that_ask_at_once_load_one_at_a_time(source, monkeypatch):
    """Two of diffusers' loads at once would leave torch without memory for weights."""
    inside, most = [], []

    def load(**_):
        inside.append(1)
        most.append(len(inside))
        sleep(0.05)
        inside.pop()
        return SimpleNamespace(executed=lambda execution: "the model")

    monkeypatch.setattr(source.family, "load", load)
    others = [replace(source, settings={**source.settings, "num_steps": n}) for n in (2, 3, 4)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda each: each.load(), others))
    assert most == [1, 1, 1]


def test_a_sketch_has_the_shape_and_the_sampler_of_the_model_and_no_weights(source):
    sketch, model = source.sketch(), source.load()
    assert sketch.noise_shape == model.noise_shape and sketch.process == model.process
    assert source.sketch() is sketch
    assert {p.device.type for m in sketch.modules for p in m.parameters()} == {"meta"}
    shapes = [[tuple(p.shape) for m in each.modules for p in m.parameters()]
              for each in (sketch, model)]  # fmt: skip
    assert shapes[0] == shapes[1]


def test_a_hub_that_does_not_answer_is_asked_once_for_a_sketch(source, monkeypatch):
    asked = []

    def refuse(**settings):
        asked.append(settings["source"])
        raise Unfetched("no hub here")

    monkeypatch.setattr(source.family, "load", refuse)
    away = replace(source, settings={**source.settings, "source": "owner/away"})
    for _ in range(2):
        with pytest.raises(Unfetched, match="no hub here"):
            away.sketch()
    assert asked == ["owner/away"]
