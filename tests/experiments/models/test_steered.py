"""Steerings in a sampler, of every family: what leaves it alone, and what a step then costs."""

from types import SimpleNamespace

import diffusers
import pytest
import torch

from coupling import CADS, DAVE, ConditionNoise, Guidance, InTurn, Particle, Spell, repulsive
from coupling.steering import Course, Steered, Steering
from experiments.errors import UsageError
from experiments.methods import Coupled
from experiments.models.condition import repeat_rows
from experiments.models.execution import Execution
from experiments.models.process import DDIM, FlowEuler
from experiments.workers.lanes import in_lanes

FAMILIES = ["sd", "sdxl", "sd3", "ddpm"]
ALL = (0.0, 1.0)
SPELL = {"quantile": 0.75, "factor": 1.0, "strength": 1.6, "window": ALL}
CONDITION_NOISE = {"share": 0.5, "window": ALL}
NEUTRAL = {
    "none": Steering(),
    "guidance, all steps": Guidance(None, ALL, None),
    "spell, no radius": Spell(radius=0.0, **SPELL),
    "spell, no strength": Spell(radius=9.0, **SPELL | {"strength": 0.0}),
    "spell, no step": Spell(radius=9.0, **SPELL | {"window": (0.0, 0.0)}),
    "cads, always clear": CADS(clear=1.0, dark=1.0, noise=0.25, mixing=1.0),
    "particle, no scale": Particle(scale=0.0, least=0.0),
    "condition noise, no amplitude": ConditionNoise(amplitude=0.0, **CONDITION_NOISE),
}
NEUTRAL["all in turn"] = InTurn({str(i): part for i, part in enumerate(NEUTRAL.values())})
ACTING = {
    "guidance": Guidance(2.0, (0.25, 0.75), None),
    "spell": Spell(radius=None, **SPELL | {"factor": 2.0}),
    "cads": CADS(clear=0.6, dark=0.9, noise=0.25, mixing=1.0),
    "particle": Particle(scale=30.0, least=0.0),
    "condition noise": ConditionNoise(amplitude=1.0, **CONDITION_NOISE),
}
PROMPTS = ["a red bed", "two lamps by a window"]


def sample(model, steering, *, noise=None) -> torch.Tensor:
    """Two galleries of three."""
    if noise is None:
        noise = torch.randn(6, *model.noise_shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        rows = repeat_rows(model.encode_prompts(PROMPTS), 3)
        course = Course(model.process.levels, model.guidance, 0, PROMPTS, range(3))
        return model.sample(noise, rows, steered=steering and Steered(steering, course))


def of(families, name: str, guidance: float = 6.0):
    return families(name).model(guidance=1.0 if name == "ddpm" else guidance)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_neutral_steering_changes_no_bit(families, name):
    model = of(families, name)
    plain = sample(model, None)
    for what, steering in NEUTRAL.items():
        assert torch.equal(sample(model, steering), plain), what


@pytest.mark.parametrize("name", FAMILIES)
def test_a_steering_acts_and_galleries_do_not_see_each_other(families, name):
    model = of(families, name)
    plain = sample(model, None)
    noise = torch.randn(6, *model.noise_shape, generator=torch.Generator().manual_seed(1))
    noise[3:] = -noise[3:]
    of_conditions = ("guidance", "cads", "condition noise")
    for what, steering in ACTING.items():
        found = sample(model, steering)
        assert found.isfinite().all()
        assert torch.equal(found, plain) == (name == "ddpm" and what in of_conditions), what
        assert torch.equal(sample(model, steering, noise=noise)[:3], found[:3]), what


def test_dave_damps_the_mean_token_of_its_blocks_and_no_other(families):
    model, name = of(families, "sd3"), "transformer_blocks.0"
    plain, network = sample(model, None), model.modules[0]
    still, here = DAVE(1.0, [name], ALL), Course(model.process.levels, 6.0, 0, PROMPTS, range(3))
    assert torch.equal(sample(model, still), plain)
    assert not torch.equal(sample(model, DAVE(0.3, [name], ALL)), plain)
    assert torch.equal(sample(model, None), plain)  # no hook is left
    tokens = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0)) + 1
    context, damped = DAVE(0.3, [name], ALL)._damped(network, (), ("text", tokens))
    torch.testing.assert_close(damped.mean(1), 0.3 * tokens.mean(1))
    torch.testing.assert_close(damped - damped.mean(1, True), tokens - tokens.mean(1, True))
    assert context == "text"
    with DAVE(0.3, ["nowhere"], (0.5, 1.0)).attached(here, 0, network):
        pass
    with (
        pytest.raises(ValueError, match="has no module nowhere"),
        DAVE(0.3, ["nowhere"], ALL).attached(here, 0, network),
    ):
        pass


def test_hooks_of_one_lane_are_not_called_in_another(families):
    model, steering = of(families, "sd3"), DAVE(0.3, ["transformer_blocks.0"], (0.0, 0.5))
    noises = torch.randn(4, 6, *model.noise_shape, generator=torch.Generator().manual_seed(2))
    alone = [sample(model, steering, noise=noise) for noise in noises]
    together = in_lanes(
        lambda noise: sample(model, steering, noise=noise), noises, lanes=4, threads=1
    )
    for ours, theirs in zip(together, alone, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_hooks_are_refused_where_the_network_is_compiled():
    hooked = DAVE(0.3, ["transformer_blocks.0"], ALL)
    assert hooked.hooked and InTurn({"a": Steering(), "b": hooked}).hooked
    assert not any(steering.hooked for steering in (*NEUTRAL.values(), *ACTING.values()))
    compiled = Execution(channels_last=True, compiled=True)
    model = SimpleNamespace(execution=compiled, process=DDIM, guidance=1.0)
    with pytest.raises(UsageError, match="use execution=eager"):
        Coupled(repulsive(3), None, hooked)._steered(model, [], 0, range(3))


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3"])
def test_a_step_without_guidance_is_one_row_an_image(families, monkeypatch, name):
    model, unguided = of(families, name), of(families, name, 1.0)
    outside = Guidance(None, (0.0, 0.0), None)
    assert torch.equal(sample(model, outside), sample(unguided, None))
    calls, network = [], model.network
    monkeypatch.setattr(
        model, "network", lambda x, *rest: calls.append(len(x)) or network(x, *rest)
    )
    sample(model, Guidance(None, (0.25, 0.75), None))
    assert calls == [6, 12, 12, 6]


def processes():
    for prediction in ("epsilon", "v_prediction", "sample"):
        scheduler = diffusers.DDIMScheduler(
            prediction_type=prediction, clip_sample=False, steps_offset=1
        )
        yield pytest.param(DDIM.from_scheduler(scheduler, 5), id=prediction)
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    yield pytest.param(FlowEuler.from_scheduler(scheduler, 5), id="flow")


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_an_output_that_the_clean_estimate_does_not_depend_on_stays(prediction):
    """A shifted table of a model that ends at timestep 0 has alpha 1 in its last step."""
    scheduler = diffusers.DDIMScheduler(prediction_type=prediction, clip_sample=False)
    process = DDIM.from_scheduler(scheduler, 5).shifted()
    assert process.levels[-1] == (1.0, 0.0)
    output, push = torch.randn(2, 2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(process.moved(output, push, 4), output)


def test_a_table_that_ends_at_alpha_1_is_not_shifted_for_a_network_that_predicts_the_image():
    scheduler = diffusers.DDIMScheduler(prediction_type="sample", clip_sample=False)
    with pytest.raises(UsageError, match=r"set optimizer\.shifted=false"):
        DDIM.from_scheduler(scheduler, 5).shifted()


@pytest.mark.parametrize("process", list(processes()))
def test_an_output_is_moved_to_the_one_of_another_clean_estimate(process):
    x, output, push = torch.randn(3, 2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    for step in range(process.num_steps):
        moved = process.moved(output, push, step)
        expected = process.clean(x, output, step) + push
        torch.testing.assert_close(process.clean(x, moved, step), expected, rtol=1e-4, atol=1e-4)
        assert torch.equal(process.moved(output, torch.zeros_like(push), step), output)
        # where the step ends lies the noise estimate that belongs to it, in the new proportions
        alpha, sigma = process.levels[step]
        noise = (x - alpha * expected) / sigma
        end = process.advance(x, moved, step)
        if step + 1 < process.num_steps:
            after, left = process.levels[step + 1]
            torch.testing.assert_close(end, after * expected + left * noise, rtol=1e-3, atol=1e-3)
