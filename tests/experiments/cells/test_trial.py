"""What a run would refuse, its plan refuses, and both before any weights are loaded."""

from types import SimpleNamespace

import pytest

from coupling import iid
from experiments.compose import build, compose
from experiments.errors import UsageError
from experiments.methods import Coupled
from experiments.models.model import Model
from experiments.models.process import FlowEuler
from experiments.models.source import ModelSource
from experiments.run import run

FLOW = FlowEuler(timesteps=(999.0, 500.0), sigmas=(0.999, 0.5, 0.0))
OBJECTS = ["task=objects", "task.num_pictures=1", "metrics=regions"]


@pytest.mark.parametrize("start", [["plan=true"], []], ids=["plan", "start"])
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.guidance=0.5"], "guidance = 0.5 must be at least 1"),
        (["model.num_steps=1000"], "num_steps = 1000 must be from 1 to 999"),
        (["model.image_size=62"], "image_size = 62 must be a multiple of 4"),
        (["model=tiny_ddpm", "model.image_size=64"], "image_size = 64, but this model makes 32"),
        (["optimizer=cno", "cno.window=17"], "optimizer: window = 17 must be from 1 to"),
        (["coupling=low_frequency", "model.image_size=32"], "coupling: "),
        (["metrics=brightness"], "metrics: gap: a brightness split needs an even K >= 4"),
        (["metrics=regions"], "metrics: l2_b: scores of regions need"),
        ([*OBJECTS, "method=sdedit", "method.strength=0.01"], "SDEdit's strength = 0.01"),
        ([*OBJECTS, "method=blending", "task.patch=2"], r"task\.patch: a pixel of this model's"),
        ([*OBJECTS, "method=inpainting"], "set model=sd15_inpaint"),
        (["experiment=table4", "cno.window=17"], "optimizer: window = 17"),
        (["execution=compiled", "steering=dave", "steering.blocks=[mid_block]"], "execution=eager"),
    ],
)
def test_what_does_not_fit_is_refused_without_weights(
    tmp_path, monkeypatch, overrides, message, start
):
    monkeypatch.setattr(ModelSource, "load", lambda self: pytest.fail("weights were loaded"))
    monkeypatch.setattr(ModelSource, "fetch", lambda self: pytest.fail("weights were fetched"))
    here = [f"output_dir={tmp_path / 'outputs'}", f"results_dir={tmp_path / 'results'}"]
    everything = ["task.num_prompts=2", *here, *overrides, *start]
    if "task=objects" in overrides:
        everything.remove("task.num_prompts=2")
    with pytest.raises(UsageError, match=message) as caught:
        run(compose(everything), overrides=everything)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.*"))


class Sketch(SimpleNamespace):
    shifted, opaque = Model.shifted, False


def fits(method: Coupled, **model) -> None:
    sketch = {"process": FLOW, "noise_shape": (4, 32, 32), "fills_in": False}
    method.check(Sketch(**sketch | model), [])


def test_the_shifted_form_of_cno_is_not_for_flows_and_their_settings_do_not_ask_for_it():
    release = ["optimizer=cno_release"]
    with pytest.raises(UsageError, match=r"set optimizer\.shifted=false"):
        fits(Coupled(iid(3), build("optimizer", compose(release))))
    fits(Coupled(iid(3), build("optimizer", compose([*release, "cno=sd3"]))))


@pytest.mark.parametrize(
    ("optimizer", "message"), [("cno", "nothing to repel"), ("reward", "has no pairs")]
)
def test_an_optimiser_that_wants_a_gallery_is_tried_on_one(optimizer, message):
    with pytest.raises(UsageError, match=f"optimizer: .*{message}"):
        fits(Coupled(iid(1), build("optimizer", compose([f"optimizer={optimizer}"]))))


def test_an_inpainting_model_wants_a_method_that_gives_it_pictures():
    with pytest.raises(UsageError, match="needs an image and a mask: use method=inpainting"):
        fits(Coupled(iid(3), None), fills_in=True)
