"""Three lines in front of any diffusers pipeline: what it denoises are the noises given to it.

Every snippet is the README's, at the size of a small pipeline; `**settings` make it quick.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

import coupling
from experiments.models.quiet import quiet

QUICK = {"num_inference_steps": 2, "guidance_scale": 1.0, "output_type": "pt"}
prompt = "a bed"


def image(pipe, **settings):  # Stable Diffusion 1.5, 512 px: (4, 64, 64); SD3, 1024: (16, 128, 128)
    latents = coupling.repulsive(4).sample((4, 8, 8), seed=7).to(pipe.device, pipe.dtype)
    return pipe(prompt, num_images_per_prompt=4, latents=latents, **settings).images


def packed(pipe, **settings):  # FLUX at 1024 px: (4096, 64), its latents are packed
    latents = coupling.repulsive(4).sample((16, 16), seed=7).to(pipe.device, pipe.dtype)
    return pipe(prompt, num_images_per_prompt=4, latents=latents, **settings).images


def video(pipe, **settings):  # Wan, 81 frames of 480 x 832: (16, 21, 60, 104)
    latents = coupling.repulsive(4).sample((16, 2, 4, 4), seed=7).to(pipe.device, pipe.dtype)
    return pipe(prompt, num_videos_per_prompt=4, latents=latents, **settings).frames


def audio(pipe, **settings):  # Stable Audio Open: (64, 1024)
    latents = coupling.repulsive(4).sample((4, 64), seed=7).to(pipe.device, pipe.dtype)
    return pipe(prompt, num_waveforms_per_prompt=4, latents=latents, **settings).audios


CASES = {  # the README's lines, the shape of one noise, and what else a small pipeline is told
    "stable_diffusion": (image, (4, 8, 8), {}),
    "sdxl": (image, (4, 8, 8), {}),
    "sd3": (image, (4, 8, 8), {}),
    "flux": (packed, (16, 16), {"height": 16, "width": 16}),
    "wan": (video, (16, 2, 4, 4), {"height": 32, "width": 32, "num_frames": 5}),
    "stable_audio": (audio, (4, 64), {}),
}


@contextmanager
def inputs(pipe) -> Iterator[list[Tensor]]:
    """What the denoiser is given, step by step."""
    seen: list[Tensor] = []
    denoiser = getattr(pipe, "transformer", None) or pipe.unet
    handle = denoiser.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append((*args, *kwargs.values())[0].clone()), with_kwargs=True
    )
    yield seen
    handle.remove()


@pytest.mark.parametrize("pipeline", CASES, indirect=True)
def test_what_is_denoised_are_the_noises_given(pipeline, request):
    snippet, shape, size = CASES[request.node.callspec.params["pipeline"]]
    settings = size | QUICK
    state = torch.get_rng_state()
    with quiet(), inputs(pipeline) as seen:
        gallery = torch.as_tensor(snippet(pipeline, **settings))
    assert torch.equal(torch.get_rng_state(), state)  # nothing is drawn beside them

    # Algorithm 1 by hand. Some schedulers scale the noise, but every coordinate alike.
    base = coupling.base_noise(shape, seed=7, members=range(4))
    latents = (4 / 3) ** 0.5 * (base - base.mean(dim=0))
    scale = (seen[0] * latents).sum() / latents.square().sum()
    torch.testing.assert_close(seen[0], scale * latents, rtol=0, atol=1e-5 * scale.item())
    assert seen[0].sum(dim=0).abs().max() < 1e-5 * scale

    # Every image is that of its own noise alone.
    assert len(gallery) == 4
    apart = (gallery[2] - gallery[0]).abs().max().item()
    assert apart > 0
    with quiet():
        alone = torch.as_tensor(pipeline(prompt, latents=latents[2:3], **settings)[0])
    torch.testing.assert_close(alone[0], gallery[2], rtol=0, atol=1e-2 * apart)


@pytest.mark.parametrize("pipeline", ["flux"], indirect=True)
def test_packing_keeps_the_law(pipeline):
    """FLUX's latents are packed: a coupling with a spatial part is drawn unpacked."""
    left = torch.arange(8).expand(8, 8) < 4
    law = coupling.subspace(
        coupling.mask(left), inside=coupling.identical(4), outside=coupling.repulsive(4)
    )
    latents = law.sample((4, 8, 8), seed=7)
    packed = pipeline._pack_latents(latents, *latents.shape)
    columns = packed.unflatten(1, (4, 4))  # (4, rows, columns, C) of patches
    assert torch.equal(columns[0, :, :2], columns[3, :, :2])
    assert columns[:, :, 2:].sum(dim=0).abs().max() < 1e-5
