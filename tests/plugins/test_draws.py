"""`coupling.diffusers.draws`: every draw of a path is coupled, and no path's law is changed."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import diffusers
import pytest
import torch
from scipy import stats
from torch import Tensor

import coupling
from experiments.compose import BUNDLED
from tests.experiments.models.conftest import SD_SCHEDULE, stable_diffusion
from tests.plugins import packed
from tests.plugins.cases import CASES, built, made, new

CALL = CASES["stable_diffusion"].call
GALLERIES = [f"bed {number}" for number in range(40)]
STEPS = 4


def with_scheduler(scheduler, build=stable_diffusion):
    pipe = new(build)
    pipe.scheduler = scheduler
    return pipe


@contextmanager
def drawn(pipe) -> Iterator[list[Tensor]]:
    """What the pipeline and its scheduler are given for their draws, one after another."""
    seen: list[Tensor] = []
    with pytest.MonkeyPatch.context() as patch:
        for module in {sys.modules[type(part).__module__] for part in (pipe, pipe.scheduler)}:
            if draw := vars(module).get("randn_tensor"):

                def record(*args, draw=draw, **kwargs):
                    seen.append(draw(*args, **kwargs))
                    return seen[-1].clone()

                patch.setattr(module, "randn_tensor", record)
        yield seen


@pytest.mark.parametrize("given", [False, True], ids=["drawn", "given"])
@pytest.mark.parametrize(
    "scheduler", [diffusers.LCMScheduler, diffusers.EulerAncestralDiscreteScheduler]
)
@pytest.mark.filterwarnings("ignore:.*draws again at every step")
def test_draws_of_a_path_are_independent_normals_and_those_of_a_gallery_coupled(scheduler, given):
    """The covariance of all draws of a gallery is I over the steps times R over its members."""
    law = coupling.equicorrelated(3, rho=-0.4)
    pipe = with_scheduler(scheduler(**SD_SCHEDULE))
    call = CALL | {"num_inference_steps": STEPS, "guidance_scale": 1.0}
    start = {"latents": coupling.diffusers.latents(pipe, GALLERIES, law, seed=7, **call)}
    with coupling.diffusers.draws(pipe, GALLERIES, law, seed=7), drawn(pipe) as seen:
        made(pipe, GALLERIES, 3, **call, **(start if given else {}))
    seen = [start["latents"], *seen] if given else seen
    assert len(seen) >= STEPS

    paths = torch.stack([x.unflatten(0, (40, 3)) for x in seen])  # (steps, galleries, members, ...)
    values = paths.movedim(1, 2).flatten(2).flatten(0, 1).double()  # a row a step and member
    error = values.shape[1] ** -0.5
    assert values.mean(dim=1).abs().max() < 4.5 * error
    expected = torch.kron(torch.eye(len(seen)).double(), law.correlation)
    assert (values @ values.T / values.shape[1] - expected).abs().max() < 4.5 * 2**0.5 * error
    assert min(stats.kstest(row.numpy(), "norm").pvalue for row in values) > 1e-3
    spatial = paths[:, :, 0].flatten(0, 1).flatten(2)  # between the pixels of one noise
    covariance = spatial.flatten(1).T.double() @ spatial.flatten(1).double() / len(spatial)
    off = covariance - torch.diag(covariance.diag())
    assert off.square().mean().sqrt() == pytest.approx(len(spatial) ** -0.5, rel=0.05)


@pytest.mark.parametrize("name", CASES)
def test_the_start_is_that_of_latents_and_the_steps_do_not_ask_where_it_came_from(name):
    case, pipe = CASES[name], built(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = coupling.diffusers.latents(
            pipe, ["a bed"], coupling.repulsive(3), seed=7, **case.call
        )
    outs = []
    for given in ({}, {"latents": start}):
        with coupling.diffusers.draws(pipe, "a bed", coupling.repulsive(3), seed=7):
            outs.append(made(pipe, ["a bed"], 3, **given, **case.call))
    rounding = 1e-5 * outs[0].abs().max().item()
    torch.testing.assert_close(*outs, rtol=1e-5, atol=rounding)


def test_the_bundled_model_is_coupled_at_every_step_of_ddim_with_eta():
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(BUNDLED / "pipeline")
    pipe.scheduler = diffusers.DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    law = coupling.repulsive(3)
    with coupling.diffusers.draws(pipe, "a bedroom", law, seed=7), drawn(pipe) as seen:
        made(pipe, ["a bedroom"], 3, num_inference_steps=STEPS, eta=1.0)
    assert [x.shape for x in seen] == [seen[0].shape] * (1 + STEPS)
    for number, noises in enumerate(seen):
        assert noises.sum(dim=0).abs().max() < 1e-5
        job = f"a bedroom\nstep {number - 1}" if number else "a bedroom"
        assert torch.equal(noises, law.sample(noises.shape[1:], seed=7, job=job))


def test_what_is_drawn_after_the_last_step_is_not_the_start():
    """LTX adds noise before it decodes, in the shape that it started in."""
    pipe, call = new(lambda: packed.ltx(timestep_conditioning=True)), CASES["ltx"].call
    law = coupling.repulsive(3)
    call = call | {
        "output_type": "pt",
        "decode_timestep": [0.05] * 3,
        "decode_noise_scale": [0.1] * 3,
    }
    start = coupling.diffusers.latents(pipe, "a bed", law, seed=7, **call)
    with coupling.diffusers.draws(pipe, "a bed", law, seed=7), drawn(pipe) as seen:
        made(pipe, ["a bed"], 3, latents=start, **call)
    (noise,) = seen
    first = law.sample(noise.shape[1:], seed=7, job="a bed")
    assert (noise * first).mean().abs() < 0.1  # each of the two has 1
    assert noise.sum(dim=0).abs().max() < 1e-5


BETAS = {"beta_schedule": "scaled_linear"}
AGAIN = {
    "lcm": (diffusers.LCMScheduler(**BETAS), {}),
    "ancestral": (diffusers.EulerAncestralDiscreteScheduler(**BETAS), {}),
    "kdpm2 ancestral": (diffusers.KDPM2AncestralDiscreteScheduler(**BETAS), {}),
    "dpm++ sde": (
        diffusers.DPMSolverMultistepScheduler(**BETAS, algorithm_type="sde-dpmsolver++"),
        {},
    ),
    "ddim, eta 1": (diffusers.DDIMScheduler(**BETAS), {"eta": 1.0}),
    "ddpm": (diffusers.DDPMScheduler(**BETAS), {}),
    "tcd, eta 0.3": (diffusers.TCDScheduler(**BETAS), {"eta": 0.3}),
}
NOT_AGAIN = {
    "ddim": (diffusers.DDIMScheduler(**BETAS), {}),
    "tcd": (diffusers.TCDScheduler(**BETAS), {}),  # the pipeline says eta = 0
    "ddim, no signal": (diffusers.DDIMScheduler(**BETAS, rescale_betas_zero_snr=True), {}),
    "euler": (diffusers.EulerDiscreteScheduler(**BETAS), {}),
    "heun": (diffusers.HeunDiscreteScheduler(**BETAS), {}),
    "dpm++ 2m": (diffusers.DPMSolverMultistepScheduler(**BETAS), {}),
    "unipc": (diffusers.UniPCMultistepScheduler(**BETAS), {}),
    "pndm": (diffusers.PNDMScheduler(**BETAS, skip_prk_steps=True), {}),
    "lcm, one step": (diffusers.LCMScheduler(**BETAS), {"num_inference_steps": 1}),
}
FLOW = {
    "flow": diffusers.FlowMatchEulerDiscreteScheduler(),
    "flow, stochastic": diffusers.FlowMatchEulerDiscreteScheduler(stochastic_sampling=True),
}


def warned(pipe, recwarn, **call) -> int:
    recwarn.clear()
    coupling.diffusers.latents(pipe, "a bed", coupling.iid(2), seed=7, **call)
    told = [str(warning.message) for warning in recwarn if "draws again" in str(warning.message)]
    assert all("coupling.diffusers.draws" in text for text in told)
    return len(told)


@pytest.mark.parametrize("name", [*AGAIN, *NOT_AGAIN])
def test_a_scheduler_that_draws_again_is_told_once(name, recwarn):
    scheduler, call = (AGAIN | NOT_AGAIN)[name]
    assert warned(with_scheduler(scheduler), recwarn, **CALL, **call) == (name in AGAIN)


@pytest.mark.parametrize("name", FLOW)
def test_a_flow_that_draws_again_is_told_once(name, recwarn):
    pipe = with_scheduler(FLOW[name], CASES["sd3"].build)
    assert warned(pipe, recwarn, **CASES["sd3"].call) == (name == "flow, stochastic")


def test_sana_sprint_is_told_once(recwarn):
    assert warned(built("sana_sprint"), recwarn, **CASES["sana_sprint"].call) == 1


def test_a_scheduler_that_draws_by_torchsde_is_refused():
    class CosineDPMSolverMultistepScheduler(diffusers.EulerDiscreteScheduler):
        noise_sampler = None  # as diffusers' own, which needs torchsde

    pipe = with_scheduler(CosineDPMSolverMultistepScheduler())
    with (
        pytest.raises(ValueError, match=r"^CosineDPM.* draws by torchsde, .* valid is another"),
        coupling.diffusers.draws(pipe, "a bed", coupling.iid(2), seed=7),
    ):
        pass
