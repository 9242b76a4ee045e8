"""The tables against diffusers' schedulers, and the laws that tie their methods together."""

import diffusers
import pytest
import torch

from experiments.errors import UsageError
from experiments.models.process import DDIM, FlowEuler

SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def ddim(**options) -> diffusers.DDIMScheduler:
    return diffusers.DDIMScheduler(**{**SCHEDULE, "clip_sample": False, **options})


def pair(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """x and a network output."""
    values = torch.randn(2, 2, 4, 4, 4, generator=torch.Generator().manual_seed(seed))
    return values[0], values[1]


@pytest.mark.parametrize("num_steps", [1, 7, 20, 50])
@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_ddim_equals_diffusers_scheduler_at_every_step(prediction, spacing, num_steps):
    scheduler = ddim(
        prediction_type=prediction, timestep_spacing=spacing, set_alpha_to_one=False, steps_offset=1
    )
    process = DDIM.from_scheduler(scheduler, num_steps)
    scheduler.set_timesteps(num_steps)
    assert list(process.timesteps) == scheduler.timesteps.tolist()
    for step, timestep in enumerate(scheduler.timesteps):
        x, output = pair(step)
        theirs = scheduler.step(output, timestep, x)
        torch.testing.assert_close(process.clean(x, output, step), theirs.pred_original_sample)
        torch.testing.assert_close(process.advance(x, output, step), theirs.prev_sample)


def test_ddim_clips_the_clean_estimate_as_diffusers_does():
    scheduler = ddim(clip_sample=True, clip_sample_range=0.5)
    process = DDIM.from_scheduler(scheduler, 10)
    scheduler.set_timesteps(10)
    x, output = pair()
    theirs = scheduler.step(output, scheduler.timesteps[0], x)
    assert process.clean(x, output, 0).abs().max() == 0.5
    torch.testing.assert_close(process.advance(x, output, 0), theirs.prev_sample)


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("num_steps", [1, 28])
def test_flow_euler_equals_diffusers_scheduler_at_every_step(shift, num_steps):
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    process = FlowEuler.from_scheduler(scheduler, num_steps)
    scheduler.set_timesteps(num_steps)
    assert list(process.timesteps) == scheduler.timesteps.tolist()
    for step, timestep in enumerate(scheduler.timesteps):
        x, output = pair(step)
        theirs = scheduler.step(output, timestep, x).prev_sample
        torch.testing.assert_close(process.advance(x, output, step), theirs)


@pytest.mark.parametrize(
    "process",
    [
        DDIM.from_scheduler(ddim(), 10),
        FlowEuler.from_scheduler(diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0), 10),
    ],
)
def test_the_true_noise_leads_back_to_the_clean_image(process):
    """An oracle that knows x_0 and eps: every estimate is x_0, and so is the end."""
    clean, noise = pair()
    if isinstance(process, DDIM):
        first = process.alphas_cumprod[0]
        x, output = first**0.5 * clean + (1 - first) ** 0.5 * noise, noise
    else:
        first = process.sigmas[0]
        x, output = (1 - first) * clean + first * noise, noise - clean
    for step in range(process.num_steps):
        estimate = process.clean(x, output, step)
        torch.testing.assert_close(estimate, clean, atol=2e-5, rtol=0)
        x = process.advance(x, output, step)
    torch.testing.assert_close(x, clean, atol=2e-5, rtol=0)


def test_a_gradient_stopped_at_the_network_is_the_explicit_factor_alone():
    process = DDIM.from_scheduler(ddim(), 10)
    x, output = pair()
    x.requires_grad_()
    process.clean(x, (output * x).detach(), 0).sum().backward()
    alpha = process.alphas_cumprod[0] ** 0.5
    torch.testing.assert_close(x.grad, torch.full_like(x, 1 / alpha))


def test_half_precision_flow_steps_are_added_in_float32():
    process = FlowEuler.from_scheduler(diffusers.FlowMatchEulerDiscreteScheduler(), 50)
    x, output = (value.bfloat16() for value in pair())
    exact = process.advance(x.float(), output.float(), 3).bfloat16()
    assert torch.equal(process.advance(x, output, 3), exact)


@pytest.mark.parametrize("num_steps", [0, -1, 1000])
def test_impossible_numbers_of_steps_name_the_range(num_steps):
    with pytest.raises(UsageError, match=r"num_steps = -?\d+ must be from 1 to 999"):
        DDIM.from_scheduler(ddim(), num_steps)


@pytest.mark.parametrize(
    ("scheduler", "process", "named"),
    [
        (ddim(thresholding=True), DDIM, "thresholding"),
        (ddim(prediction_type="flow"), DDIM, "flow"),
        (
            diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
            FlowEuler,
            "use_dynamic_shifting",
        ),
        (
            diffusers.FlowMatchEulerDiscreteScheduler(stochastic_sampling=True),
            FlowEuler,
            "stochastic_sampling",
        ),
    ],
)
def test_settings_without_a_counterpart_are_refused(scheduler, process, named):
    with pytest.raises(UsageError, match=named):
        process.from_scheduler(scheduler, 10)
