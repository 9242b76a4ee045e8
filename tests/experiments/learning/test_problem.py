"""What a coupling is learned from: base noises as pure functions, gradients as they should be."""

from dataclasses import replace

import pytest
import torch

from coupling import base_noise, iid, repulsive
from coupling.learned import full_gradient, skip_gradient
from experiments.learning.problem import Problem
from experiments.models.condition import repeat_rows
from experiments.tasks.job import jobs_of
from experiments.theory.first_order import bundled
from metrics.diversity import pairwise_l2

JOBS = jobs_of(["a bedroom", "a blue bed", "a lamp"])


@pytest.fixture(scope="module")
def model():
    model = bundled()
    timesteps = model.process.timesteps
    model.process = replace(
        model.process,
        timesteps=timesteps[:2],
        alphas_cumprod=model.process.alphas_cumprod[:2],
        next_alphas_cumprod=model.process.next_alphas_cumprod[:2],
    )
    return model


def problem(model, **changes) -> Problem:
    settings = {"reward": pairwise_l2, "estimator": skip_gradient, "prompts_per_step": 2, "seed": 5}
    return Problem(lambda: model, JOBS, **settings | changes)


def test_steps_go_through_the_jobs_round_and_round(model):
    """Step 1 of three jobs, two at a time, takes the third and the first again."""
    base, _ = problem(model).batch(1, base_size=3)
    for row, job in zip(base, (JOBS[2], JOBS[0]), strict=True):
        expected = base_noise(model.noise_shape, seed=5, job=f"step 1: {job.id}", members=range(3))
        assert torch.equal(row, expected)


def test_base_noise_depends_on_step_job_and_seed_alone(model):
    first, _ = problem(model).batch(0, base_size=3)
    alone, _ = problem(model, prompts_per_step=1).batch(0, base_size=2)
    assert torch.equal(alone[0], first[0, :2])
    assert not torch.equal(problem(model, seed=6).batch(0, base_size=3)[0], first)
    again, _ = problem(model, prompts_per_step=3).batch(1, base_size=3)
    assert not torch.equal(again[0], first[0])  # the same job at another step


def test_couplings_are_evaluated_on_common_base_noises(model):
    """The gallery of one coupling is what this coupling makes of the job's own noise."""
    whole = problem(model, prompts_per_step=3).evaluate(repulsive(3), JOBS)
    condition = repeat_rows(model.encode_prompts([JOBS[1].prompt]), 3)
    noise = repulsive(3).sample(model.noise_shape, seed=5, job=JOBS[1].id)
    images = model.decode(model.sample(noise, condition))
    assert whole[1] == pytest.approx(pairwise_l2(images).item(), rel=1e-4)
    assert whole == pytest.approx(problem(model).evaluate(repulsive(3), JOBS), rel=1e-4)
    assert whole != problem(model).evaluate(iid(3), JOBS)


def test_checkpoints_change_neither_value_nor_gradient(model):
    base, generate = problem(model, estimator=full_gradient).batch(0, base_size=2)
    noise = base.requires_grad_()
    condition = repeat_rows(model.encode_prompts([job.prompt for job in JOBS[:2]]), 2)
    plain = model.decode(model.sample(noise.flatten(0, 1), condition)).unflatten(0, (2, 2))
    results = [
        (images.detach(), *torch.autograd.grad(images.square().sum(), noise))
        for images in (generate(noise), plain)
    ]
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain)


def test_the_estimators_agree_on_images_and_differ_in_gradients(model):
    gradients, images = [], []
    for estimator in (skip_gradient, full_gradient):
        base, generate = problem(model, estimator=estimator).batch(0, base_size=2)
        base = base.requires_grad_()
        images.append(generate(base))
        gradients += torch.autograd.grad(pairwise_l2(images[-1]).sum(), base)
    torch.testing.assert_close(*images, rtol=0, atol=1e-4)
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)
    assert not torch.allclose(*gradients)
