"""Inversion against diffusers' inverse scheduler, and the laws of walking the steps both ways."""

import diffusers
import pytest
import torch
from float64 import in_float64, scheduler_in_float64

from experiments.errors import UsageError
from experiments.models.process import DDIM, FlowEuler

SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
PROMPTS = ["a red bed", "two lamps by a window"]


@pytest.mark.parametrize("num_steps", [4, 20])
@pytest.mark.parametrize("name", ["sd", "sd_v", "ddpm"])
def test_inversion_equals_diffusers_inverse_scheduler(families, name, num_steps):
    family = families(name)
    model = in_float64(family.model(num_steps=num_steps))
    inverse = scheduler_in_float64(diffusers.DDIMInverseScheduler, family.pipeline.scheduler.config)
    inverse.set_timesteps(num_steps)
    generator = torch.Generator().manual_seed(1)
    clean = torch.randn(2, *model.noise_shape, generator=generator, dtype=torch.float64)
    with torch.inference_mode():
        condition = model.encode_prompts(PROMPTS)
        theirs = clean
        for timestep in inverse.timesteps:
            output = model.unet(theirs, timestep, **condition).sample
            theirs = inverse.step(output, timestep, theirs).prev_sample
        torch.testing.assert_close(model.invert(clean, condition), theirs, atol=1e-9, rtol=0)
    assert (theirs - clean).abs().max() > 0.1


@pytest.mark.parametrize("spacing", ["leading", "trailing"])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_every_step_equals_diffusers_inverse_scheduler(prediction, spacing):
    options = {
        **SCHEDULE,
        "clip_sample": False,
        "set_alpha_to_one": False,
        "steps_offset": 1,
        "prediction_type": prediction,
        "timestep_spacing": spacing,
    }
    process = DDIM.from_scheduler(diffusers.DDIMScheduler(**options), 10)
    inverse = diffusers.DDIMInverseScheduler(**options)
    inverse.set_timesteps(10)
    assert list(process.timesteps) == inverse.timesteps.tolist()[::-1]
    x, output = torch.randn(2, 2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    for step, timestep in enumerate(process.timesteps):
        theirs = inverse.step(output, timestep, x).prev_sample
        torch.testing.assert_close(process.invert(x, output, step), theirs)


@pytest.mark.parametrize(
    "process",
    [
        DDIM.from_scheduler(diffusers.DDIMScheduler(**SCHEDULE, clip_sample=False), 10),
        FlowEuler.from_scheduler(diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0), 10),
    ],
    ids=["ddim", "flow"],
)
def test_a_step_and_its_inverse_undo_each_other_for_one_estimate_of_the_noise(process):
    clean, noise = torch.randn(2, 2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    output = noise if isinstance(process, DDIM) else noise - clean
    for step in range(process.num_steps):
        x = process.diffuse(clean, noise, step)
        below = process.advance(x, output, step)
        torch.testing.assert_close(process.invert(below, output, step), x, atol=1e-5, rtol=0)
        if step + 1 < process.num_steps:
            torch.testing.assert_close(below, process.diffuse(clean, noise, step + 1))


def ideal_output(process, x: torch.Tensor, step: int, variance: float) -> torch.Tensor:
    """What the perfect network of images N(0, variance I) predicts."""
    if isinstance(process, DDIM):
        alpha, sigma = (
            a**0.5 for a in (process.alphas_cumprod[step], 1 - process.alphas_cumprod[step])
        )
        return sigma * x / (alpha**2 * variance + sigma**2)
    sigma = process.sigmas[step]
    return (sigma - (1 - sigma) * variance) * x / ((1 - sigma) ** 2 * variance + sigma**2)


@pytest.mark.parametrize("kind", [DDIM, FlowEuler])
def test_inversion_is_exact_to_first_order_in_the_length_of_the_steps(kind):
    """Five times as many steps leave about a fifth of the error, with a network that varies."""
    clean = torch.linspace(-1, 1, 16, dtype=torch.float64).view(1, 1, 4, 4)
    errors = []
    for num_steps in (20, 100):
        scheduler = (
            diffusers.DDIMScheduler(**SCHEDULE, clip_sample=False, set_alpha_to_one=False)
            if kind is DDIM
            else diffusers.FlowMatchEulerDiscreteScheduler()
        )
        process, x = kind.from_scheduler(scheduler, num_steps), clean
        for step in reversed(range(num_steps)):
            x = process.invert(x, ideal_output(process, x, step, variance=0.25), step)
        assert (x - clean).norm() > 0.5 * clean.norm()
        for step in range(num_steps):
            x = process.advance(x, ideal_output(process, x, step, variance=0.25), step)
        errors.append(((x - clean).norm() / clean.norm()).item())
    assert errors[0] < 0.2
    assert 0.15 < errors[1] / errors[0] < 0.25


def test_a_network_that_predicts_the_image_cannot_be_inverted_from_the_image():
    scheduler = diffusers.DDIMScheduler(prediction_type="sample", clip_sample=False)
    process = DDIM.from_scheduler(scheduler, 4)
    with pytest.raises(UsageError, match="set set_alpha_to_one to false"):
        process.invert(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), 3)
