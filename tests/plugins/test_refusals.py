"""What `coupling.diffusers` refuses, early and in one line that says how to mend it."""

import re

import diffusers
import pytest
import torch
from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion

import coupling
from tests.experiments.models.conftest import stable_diffusion
from tests.plugins.cases import CASES, built, made

CALL = CASES["stable_diffusion"].call
MASK = coupling.mask(torch.ones(5, 5, dtype=torch.bool))
BAND = coupling.frequency_band(0, 0.1, shape=(4, 4))


def on(projection) -> coupling.Coupling:
    return coupling.subspace(projection, inside=coupling.iid(2), outside=coupling.repulsive(2))


def like(kind: type) -> diffusers.StableDiffusionPipeline:
    return kind(**stable_diffusion().components, requires_safety_checker=False)


class Unlatent(diffusers.StableDiffusionPipeline):
    def __call__(self, prompt, num_images_per_prompt):
        return super().__call__(prompt, num_images_per_prompt=num_images_per_prompt, **CALL)


class DrawsTwice(diffusers.StableDiffusionPipeline):
    def prepare_latents(self, *args):
        return super().prepare_latents(*args) + pipeline_stable_diffusion.randn_tensor((2, 4, 8, 8))


class Alters(diffusers.StableDiffusionPipeline):
    def prepare_latents(self, *args):
        return super().prepare_latents(*args) + (args[-1] is not None)


class Denoiserless(diffusers.StableDiffusionPipeline):
    @property
    def components(self):
        return {}


REFUSED = {
    "mask": ("flux", {"law": on(MASK)}, r"FluxPipeline draws \(4, 8, 8\); make .*\(5, 5\)"),
    "band": ("flux", {"law": on(BAND)}, r"FluxPipeline draws \(4, 8, 8\); make .*\(4, 4\)"),
    "no latents": (Unlatent, {}, "Unlatent takes no latents; call it within .*draws"),
    "two draws": (DrawsTwice, {}, r"DrawsTwice draws \(4, 8, 8\), \(4, 8, 8\) .*; call it within"),
    "altered": (Alters, {}, r"Alters makes something else of .* \(4, 8, 8\); call it within"),
    "no denoiser": (Denoiserless, {"num_inference_steps": 1}, "Denoiserless ran no transformer"),
    "twice": ("flux", {"prompt": ["a bed", "a bed"]}, "same gallery; give each a name by jobs="),
    "jobs": ("flux", {"jobs": ["a", "b"]}, "1 prompts and 2 jobs; valid is one job a prompt"),
    "no prompt": ("flux", {"prompt": []}, "0 prompts and 0 jobs"),
    "size": ("flux", {"num_images_per_prompt": 2}, "say num_images_per_prompt; leave it out"),
    "generator": ("flux", {"generator": None}, "say generator; leave it out"),
    "latents": ("flux", {"latents": None}, "say latents; leave it out"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_call_is_refused(name):
    kind, options, message = REFUSED[name]
    known = isinstance(kind, str)
    pipe = built(kind) if known else like(kind)
    call = {"prompt": "a bed", "law": coupling.repulsive(2), **options}
    call |= CASES[kind].call if known else {} if kind is Unlatent else CALL
    with pytest.raises(ValueError, match=message) as refusal:
        coupling.diffusers.latents(pipe, call.pop("prompt"), call.pop("law"), seed=7, **call)
    assert "\n" not in str(refusal.value)


def test_an_unknown_argument_is_refused_by_the_pipeline():
    with pytest.raises(TypeError, match="hight"):
        coupling.diffusers.latents(built("flux"), "a bed", coupling.iid(2), seed=7, hight=16)


@pytest.mark.parametrize("kind", [Unlatent, DrawsTwice])
def test_what_takes_no_latents_is_coupled_within_draws(kind):
    drawn = []

    class Repulsive(coupling.MatrixCoupling):
        def transform(self, base):
            drawn.append(super().transform(base))
            return drawn[-1]

    law = Repulsive(coupling.repulsive(2).matrix)
    with coupling.diffusers.draws(like(kind), "a bed", law, seed=7):
        like(kind)("a bed", num_images_per_prompt=2, **({} if kind is Unlatent else CALL))
    assert len(drawn) == (1 if kind is Unlatent else 2)
    assert all(torch.equal(first, -second) for first, second in drawn)


def test_other_counts_are_refused_within_draws():
    pipe = built("stable_diffusion")
    message = re.escape("draws 2 noises of (4, 8, 8); valid is K = 3 for each of 1 prompts")
    with (
        pytest.raises(ValueError, match=message),
        coupling.diffusers.draws(pipe, "a bed", coupling.iid(3), seed=7),
    ):
        made(pipe, ["a bed"], 2, **CALL)
