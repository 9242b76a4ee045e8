"""The clean estimate of a black box is the families' own, and that of the pipeline's two states."""

from unittest.mock import patch

import diffusers
import pytest
import torch
from torch import Tensor

import coupling
from coupling.optimizers.contrastive import Contrastive
from coupling.optimizers.preview import Preview, select
from coupling.optimizers.reward import squared_distances
from experiments.errors import UsageError
from experiments.methods.coupled import FirstStep as FamilysOwn
from experiments.methods.piped import FirstStep, Piped
from experiments.models import SD3, SDXL, StableDiffusion
from experiments.models.quiet import quiet
from tests.experiments.models.conftest import SD_SCHEDULE, sd3, sdxl, stable_diffusion
from tests.plugins.boxes import JOBS, SQUARE, box
from tests.plugins.cases import CASES, built, new

VP = {**SD_SCHEDULE, "clip_sample": False, "set_alpha_to_one": False}
SCHEDULERS = {
    "ddim": diffusers.DDIMScheduler(**VP),
    "ddim, trailing": diffusers.DDIMScheduler(**VP | {"timestep_spacing": "trailing"}),
    "ddim, v": diffusers.DDIMScheduler(**VP, prediction_type="v_prediction"),
    "ddim, sample": diffusers.DDIMScheduler(**VP, prediction_type="sample"),
    "euler": diffusers.EulerDiscreteScheduler(**SD_SCHEDULE),
    "euler, v": diffusers.EulerDiscreteScheduler(**SD_SCHEDULE, prediction_type="v_prediction"),
    "heun": diffusers.HeunDiscreteScheduler(**SD_SCHEDULE),
    "pndm": diffusers.PNDMScheduler(**SD_SCHEDULE, skip_prk_steps=True),
    "dpm++ 2m": diffusers.DPMSolverMultistepScheduler(**SD_SCHEDULE),
    "dpm++ 2m, karras": diffusers.DPMSolverMultistepScheduler(
        **SD_SCHEDULE, use_karras_sigmas=True
    ),
    "unipc": diffusers.UniPCMultistepScheduler(**SD_SCHEDULE),
    "unipc, v": diffusers.UniPCMultistepScheduler(**SD_SCHEDULE, prediction_type="v_prediction"),
    "deis": diffusers.DEISMultistepScheduler(**SD_SCHEDULE),
}


def with_scheduler(scheduler, build=stable_diffusion):
    pipe = new(build)
    pipe.scheduler = scheduler
    return pipe


def estimates(model, noise: Tensor) -> tuple[Tensor, Tensor]:
    """The clean estimate of a gallery's noises, as a picture and as it is packed."""
    first = FirstStep(model, JOBS[:1], rows=len(noise))
    output = first.output(noise.unsqueeze(0))
    assert first.passes == {"forward": len(noise)}
    entry = model._entry
    clean = first.clean(noise.unsqueeze(0), output)
    packed = torch.empty(len(noise), entry.places.numel())
    packed[:, entry.places] = clean.flatten(0, 1).flatten(1)
    return clean, packed


def states(model, noise: Tensor) -> tuple[Tensor, Tensor]:
    """What the pipeline's scheduler is given at its first and second step."""
    seen, scheduler = [], model.pipe.scheduler
    step = scheduler.step

    def record(output, time, sample, *args, **kwargs):
        seen.append(sample.clone())
        return step(output, time, sample, *args, **kwargs)

    with patch.object(scheduler, "step", record), quiet():
        law = coupling.iid(len(noise))
        model.images(JOBS[:1], noise.unsqueeze(0), law, seed=0, members=slice(None))
    return seen[0].flatten(1).float(), seen[1].flatten(1).float()


def from_two_states(scheduler, before: Tensor, after: Tensor) -> Tensor:
    """x_0 of x = alpha x_0 + sigma eps at two times, these by the tables of the scheduler."""
    levels, name = [], type(scheduler).__name__
    flow = scheduler.config.get("use_flow_sigmas") or "FlowMatch" in name
    for at in (0, 1):
        if isinstance(scheduler, diffusers.DDIMScheduler | diffusers.PNDMScheduler):
            stride = 1000 // scheduler.num_inference_steps
            cumulative = scheduler.alphas_cumprod[scheduler.timesteps[0] - at * stride]
            levels.append((cumulative.sqrt(), (1 - cumulative).sqrt()))
            continue
        sigma = scheduler.sigmas[at]
        if flow:
            levels.append((1 - sigma, sigma))
        elif "Euler" in name or "Heun" in name:
            levels.append((torch.tensor(1.0), sigma))
        else:
            levels.append(((1 + sigma**2) ** -0.5, sigma * (1 + sigma**2) ** -0.5))
    (alpha, sigma), (alpha_after, sigma_after) = levels
    ratio = sigma_after / sigma
    return (after - ratio * before) / (alpha_after - ratio * alpha)


def noises(model, size: int = 2) -> Tensor:
    return coupling.repulsive(size).sample(model.noise_shape, seed=7, job="1")


def assert_near(found: Tensor, expected: Tensor, *, within: float = 1e-5) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=within * expected.abs().max().item())


@pytest.mark.parametrize(
    ("build", "family", "own"),
    [
        (stable_diffusion, StableDiffusion, {}),
        (sdxl, SDXL, {}),
        (sd3, SD3, {"t5": True, "t5_length": 16}),
    ],
    ids=["sd15", "sdxl", "sd3"],
)
def test_it_is_the_familys_own(build, family, own, tmp_path):
    pipe = new(build)
    if family is not SD3:
        pipe.scheduler = diffusers.DDIMScheduler(**VP)
    pipe.save_pretrained(tmp_path)
    settings = {"source": str(tmp_path), "revision": None, "variant": None, "image_size": 16}
    settings |= {"name": "small", "num_steps": 3, "dtype": "float32", "device": "cpu"}
    theirs = family.load(**settings, guidance=5.0, **own)
    call = {"guidance_scale": 5.0, **({"max_sequence_length": 16} if own else {})}
    ours = box(pipe, call=call | {"height": 16, "width": 16})
    noise = noises(ours)
    condition = theirs.encode_prompts([JOBS[0].prompt])
    first = FamilysOwn(theirs, condition, [JOBS[0].prompt], rows_per_pass=2)
    with torch.no_grad():
        expected = first.clean(noise.unsqueeze(0), first.output(noise.unsqueeze(0)))
    assert_near(estimates(ours, noise)[0], expected)


@pytest.mark.parametrize("name", SQUARE)
def test_it_is_that_of_the_pipelines_two_states(name):
    model = box(name)
    noise = noises(model)
    before, after = states(model, noise)
    assert_near(estimates(model, noise)[1], from_two_states(model.pipe.scheduler, before, after))


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_it_is_that_of_the_two_states_of_every_deterministic_scheduler(scheduler):
    model = box(with_scheduler(SCHEDULERS[scheduler]), call=CASES["stable_diffusion"].call)
    noise = noises(model)
    before, after = states(model, noise)
    assert_near(estimates(model, noise)[1], from_two_states(model.pipe.scheduler, before, after))


@pytest.mark.parametrize("name", ["stable_diffusion", "flux"])
def test_its_derivative_is_that_of_the_estimate_with_the_network_held(name):
    model = box(name)
    first, noise = FirstStep(model, JOBS[:1], rows=2), noises(model).unsqueeze(0)
    output = first.output(noise)
    z = noise.clone().requires_grad_(True)
    direction = torch.randn(noise.shape, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad((first.clean(z, output) * direction).sum(), z)
    entry = model._entry
    assert_near(gradient, entry.p * entry.scale * direction)


CNO = Contrastive(
    num_steps=3,
    learning_rate=0.01,
    temperature=0.1,
    gamma=None,
    window=4,
    through_network=False,
    checkpointed=False,
    shifted=False,
    epsilon=0.0,
)


@pytest.mark.parametrize("name", SQUARE)
def test_cno_and_preview_run_and_do_what_they_say(name):
    model, law = box(name), coupling.repulsive(3)
    method = Piped(law, CNO)
    method.check(model, JOBS)
    (gallery,) = method.make(model, JOBS[:1], seed=7, members=range(3))
    assert gallery.loss[-1] < gallery.loss[0] and gallery.passes["forward"] == 9
    assert gallery.images.shape[0] == 3

    candidates = coupling.base_noise(model.noise_shape, seed=7, job="1", members=range(5))
    kept = select(squared_distances(estimates(model, candidates)[0], 4)[0], 3, spread="sum")
    (shown,) = Piped(law, Preview(candidates=5, window=4, spread="sum", then=None)).make(
        model, JOBS[:1], seed=7, members=range(3)
    )
    noise = law.couple(candidates[kept]).unsqueeze(0)
    images = model.images(JOBS[:1], noise, law, seed=7, members=slice(None))
    again = (images[0] * 255).round().byte().permute(0, 2, 3, 1).numpy()
    assert shown.passes["forward"] == 5 and abs(again.astype(int) - shown.images).max() <= 1


REFUSED = {
    "lcm": (diffusers.LCMScheduler(**SD_SCHEDULE), {}),
    "ancestral": (diffusers.EulerAncestralDiscreteScheduler(**SD_SCHEDULE), {}),
    "eta": (diffusers.DDIMScheduler(**VP), {"eta": 1.0}),
    "clipped": (diffusers.DDIMScheduler(**VP | {"clip_sample": True}), {}),
    "preconditioned": (diffusers.EDMEulerScheduler(), {}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_scheduler_without_an_estimate_is_refused(name):
    scheduler, call = REFUSED[name]
    model = box(with_scheduler(scheduler), call=CASES["stable_diffusion"].call | call)
    with pytest.raises(UsageError, match=r"^optimizer: ") as refusal:
        Piped(coupling.repulsive(3), CNO).make(model, JOBS[:1], seed=7, members=range(3))
    assert "\n" not in str(refusal.value)


def test_noise_that_is_no_picture_has_no_optimiser():
    with pytest.raises(UsageError, match=r"draws \(1, 8, 8, 4\), which does not end in the rows"):
        Piped(coupling.repulsive(3), CNO).check(box("kandinsky5"), JOBS)


class Added(diffusers.StableDiffusionPipeline):
    def prepare_latents(self, *args):
        return super().prepare_latents(*args) + 1


def test_a_start_that_is_more_than_packed_is_refused():
    pipe = Added(**built("stable_diffusion").components, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    model = box(pipe, call=CASES["stable_diffusion"].call)
    with pytest.raises(UsageError, match="first state is not its noise, scaled and packed"):
        Piped(coupling.repulsive(3), CNO).make(model, JOBS[:1], seed=7, members=range(3))
