"""`coupling.diffusers.latents`: what a pipeline makes of them is what it makes of its own draws."""

import sys
import warnings

import diffusers
import pytest
import torch
from torch import Tensor

import coupling
from tests.experiments.models.conftest import inpainting, stable_diffusion
from tests.plugins.cases import CASES, built, made, new

ALIKE = ["a bed", "a cot"]
UNLIKE = ["a bed", "a red lamp near a bed"]


def left(shape: tuple[int, ...]) -> Tensor:
    """A region of the last two axes that a noise is drawn in."""
    return torch.arange(shape[-1]).expand(shape[-2:]) < shape[-1] // 2


def iid(base: Tensor) -> Tensor:
    return base


def repulsive(base: Tensor) -> Tensor:
    return (len(base) / (len(base) - 1)) ** 0.5 * (base - base.mean(dim=0))


def shared_left(base: Tensor) -> Tensor:
    return torch.where(left(base.shape), base[0], repulsive(base))


LAWS = {
    iid: lambda size, shape: coupling.iid(size),
    repulsive: lambda size, shape: coupling.repulsive(size),
    shared_left: lambda size, shape: coupling.subspace(
        coupling.mask(left(shape)),
        inside=coupling.identical(size),
        outside=coupling.repulsive(size),
    ),
}
"""Laws by hand, and the couplings that have them."""


def latents(pipe, prompts, law, **options) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*draws again at every step")
        return coupling.diffusers.latents(pipe, prompts, law, seed=7, **options)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("law", LAWS)
def test_they_stand_for_its_own_draw_of_such_noises(law, name, monkeypatch):
    case, pipe = CASES[name], built(name)
    bases = [coupling.base_noise(case.drawn, seed=7, job=job, members=range(3)) for job in ALIKE]
    noise = torch.cat([law(base) for base in bases])

    given = latents(pipe, ALIKE, LAWS[law](3, case.drawn), **case.call)
    assert given.shape == (6, *case.accepted) and given.dtype == torch.float32
    if law is repulsive:
        assert given[:3].sum(dim=0).abs().max() < 1e-5 * given.abs().max()
    out = made(pipe, ALIKE, 3, latents=given, **case.call)

    def draw(shape, **_):
        assert tuple(shape) == noise.shape
        return noise

    monkeypatch.setattr(sys.modules[type(pipe).__module__], "randn_tensor", draw)
    expected = made(pipe, ALIKE, 3, **case.call)
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize("name", CASES)
def test_a_prompt_beside_another_gets_the_images_that_it_gets_alone(name):
    """But where the pipeline itself mixes prompts of unlike length, as docs/plugin.md says."""
    case, pipe = CASES[name], built(name)

    law = coupling.repulsive(2)

    def gallery(prompts: list[str], given: Tensor) -> Tensor:
        with coupling.diffusers.draws(pipe, prompts, law, seed=7):
            return made(pipe, prompts, 2, latents=given, **case.call)

    def apart(prompts: list[str]) -> float:
        given = latents(pipe, prompts, law, **case.call)
        pairs = zip(prompts, given.split(2), gallery(prompts, given).split(2), strict=True)
        return max(
            (gallery([prompt], own) - beside).abs().max().item() for prompt, own, beside in pairs
        )

    given = latents(pipe, "a bed", law, **case.call)
    gap = made(pipe, UNLIKE[:1], 2, latents=given, **case.call)
    gap = gap - made(pipe, UNLIKE[1:], 2, latents=given, **case.call)
    assert gap.abs().max() > 3e-4  # the prompt matters
    assert (apart(ALIKE) > 1e-4) == case.mixes_all
    assert (apart(UNLIKE) > 1e-4) == case.mixes


@pytest.mark.parametrize("name", ["stable_diffusion", "sdxl", "z_image", "flux", "sana"])
def test_nothing_is_left_behind(name, capfd, recwarn):
    case, pipe = CASES[name], new(CASES[name].build)
    pipe.set_progress_bar_config(desc="mine")
    before, state, prompts = dict(vars(pipe)), torch.get_rng_state(), list(ALIKE)
    modules = {name: vars(sys.modules[name])["randn_tensor"] for name in _modules(pipe)}
    capfd.readouterr()
    coupling.diffusers.latents(pipe, prompts, coupling.iid(2), seed=7, **case.call)
    assert capfd.readouterr() == ("", "")
    assert not [warning for warning in recwarn if issubclass(warning.category, UserWarning)]
    assert torch.equal(torch.get_rng_state(), state) and prompts == ALIKE
    assert {key: vars(pipe)[key] for key in before} == before
    assert "prepare_latents" not in vars(pipe)
    assert modules == {name: vars(sys.modules[name])["randn_tensor"] for name in _modules(pipe)}
    hooks = [part._forward_pre_hooks for part in pipe.components.values() if _is_module(part)]
    assert not any(hooks)


def _modules(pipe) -> set[str]:
    names = {cls.__module__ for part in (pipe, pipe.scheduler) for cls in type(part).__mro__}
    return {name for name in names if hasattr(sys.modules[name], "randn_tensor")}


def _is_module(part) -> bool:
    return isinstance(part, torch.nn.Module)


def test_an_image_that_is_encoded_moves_no_global_generator_either():
    """The VAE of an inpainting pipeline draws its latents of the picture by itself."""
    pipe, call = new(inpainting), CASES["stable_diffusion"].call
    picture = {"image": torch.rand(1, 3, 16, 16), "mask_image": torch.ones(1, 1, 16, 16)}
    state = torch.get_rng_state()
    given = latents(pipe, "a bed", coupling.repulsive(3), **call, **picture)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(given, coupling.repulsive(3).sample((4, 8, 8), seed=7, job="a bed"))


def test_offloaded_networks_go_back_after_each_dry_call(monkeypatch):
    pipe, call = new(CASES["flux"].build), CASES["flux"].call
    pipe.enable_model_cpu_offload(device="cpu")
    calls, offload = [], pipe.enable_model_cpu_offload
    monkeypatch.setattr(
        pipe, "enable_model_cpu_offload", lambda **where: calls.append(where) or offload(**where)
    )
    given = latents(pipe, "a bed", coupling.repulsive(3), **call)
    assert len(calls) == 2  # the draw, and latents as they were packed
    assert torch.equal(given, latents(built("flux"), "a bed", coupling.repulsive(3), **call))
    offloaded = made(pipe, ["a bed"], 3, latents=given, **call)
    assert torch.equal(offloaded, made(built("flux"), ["a bed"], 3, latents=given, **call))


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("sd3", torch.bfloat16), ("flux", torch.bfloat16), ("z_image", torch.float32)],
)
def test_they_are_of_the_precision_that_the_pipeline_draws_in(name, dtype):
    case = CASES[name]
    half = latents(new(case.build).to(torch.bfloat16), "a bed", coupling.repulsive(3), **case.call)
    whole = latents(built(name), "a bed", coupling.repulsive(3), **case.call)
    assert half.dtype == dtype and torch.equal(half, whole.to(dtype))


def test_what_else_the_pipeline_is_called_with_is_what_it_will_be_called_with():
    """Stable Diffusion wants a negative prompt of the prompt's type, and eta for its scheduler."""
    pipe, call = built("stable_diffusion"), CASES["stable_diffusion"].call
    more = call | {"negative_prompt": "dark", "guidance_scale": 5.0, "num_inference_steps": 3}
    assert torch.equal(
        latents(pipe, "a bed", coupling.iid(2), **more),
        latents(pipe, ("a bed",), coupling.iid(2), **more | {"negative_prompt": ["dark"]}),
    )


class CountsPrompts(diffusers.StableDiffusionPipeline):
    """As the pipelines that make one image a prompt, however often it stands there."""

    def __call__(self, prompt, latents=None, **call):
        return super().__call__(prompt, latents=latents, **call)


def test_where_no_count_is_taken_prompts_are_repeated():
    parts, call = new(stable_diffusion).components, CASES["stable_diffusion"].call
    pipe = CountsPrompts(**parts, requires_safety_checker=False)
    for prompt in ("a bed", ALIKE):
        assert torch.equal(
            latents(pipe, prompt, coupling.repulsive(3), **call),
            latents(built("stable_diffusion"), prompt, coupling.repulsive(3), **call),
        )


def test_seeds_of_other_programs_are_imported():
    """What is made of `torch_noise` is what a generator for each image makes."""
    pipe, call = built("stable_diffusion"), CASES["stable_diffusion"].call
    given = latents(pipe, "a bed", coupling.iid(3), base=coupling.torch_noise, **call)
    generators = [torch.Generator().manual_seed(7 + member) for member in range(3)]
    expected = made(pipe, ["a bed"], 3, generator=generators, **call)
    assert torch.equal(made(pipe, ["a bed"], 3, latents=given, **call), expected)
