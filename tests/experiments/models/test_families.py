"""Same weights, latents and settings give the images of diffusers' own pipelines."""

import pytest
import torch

from experiments.models.condition import repeat_rows

GUIDED = ["sd", "sd_v", "sdxl", "sd3", "sd3_without_t5"]
PROMPTS = ["a red bed", "two lamps by a window"]
K = 3
# float32 rounding of images in [0, 1]; the largest difference measured is 1.8e-6.
TOLERANCE = 1e-5


def noise_of(model, rows: int) -> torch.Tensor:
    return torch.randn(rows, *model.noise_shape, generator=torch.Generator().manual_seed(1))


def images_of(model, prompts: list[str], noise: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        condition = repeat_rows(model.encode_prompts(prompts), len(noise) // len(prompts))
        return model.decode(model.sample(noise, condition))


@pytest.mark.parametrize("guidance", [1.0, 6.0])
@pytest.mark.parametrize("name", GUIDED)
def test_galleries_equal_diffusers_images(families, name, guidance):
    family = families(name)
    model = family.model(guidance=guidance)
    noise = noise_of(model, len(PROMPTS) * K)
    ours = images_of(model, PROMPTS, noise)
    theirs = family.images(PROMPTS, noise, guidance=guidance)
    torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=0)


def test_unconditional_galleries_equal_diffusers_images(families):
    family = families("ddpm")
    model = family.model()
    noise = noise_of(model, 4)
    theirs = family.images([], noise, guidance=1.0)
    ours = images_of(model, ["whatever", "is asked"], noise)
    torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", [*GUIDED, "ddpm"])
def test_another_batch_size_equals_diffusers_images(families, name):
    family = families(name)
    guidance = 1.0 if name == "ddpm" else 6.0
    model = family.model(guidance=guidance)
    noise = noise_of(model, len(PROMPTS) * K)
    theirs = family.images(PROMPTS, noise, guidance=guidance)
    alone = [
        images_of(model, [PROMPTS[row // K]], noise[row : row + 1]) for row in range(len(noise))
    ]
    torch.testing.assert_close(torch.cat(alone), theirs, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", GUIDED)
def test_prompts_reach_their_own_rows(families, name):
    """Otherwise equality with diffusers would say nothing about the order of the rows."""
    model = families(name).model(guidance=6.0)
    noise = noise_of(model, 1).expand(2, -1, -1, -1)
    first, second = images_of(model, PROMPTS, noise)
    assert (first - second).abs().max() > 20 * TOLERANCE


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3"])
def test_encoding_equals_diffusers_posterior_mode(families, name):
    family = families(name)
    model, vae = family.model(), family.pipeline.vae
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        latents = vae.encode(2 * images - 1).latent_dist.mean
    theirs = (latents - (vae.config.shift_factor or 0)) * vae.config.scaling_factor
    torch.testing.assert_close(model.encode_images(images), theirs)


def test_pixel_model_encodes_what_it_decodes(families):
    model = families("ddpm").model()
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(model.decode(model.encode_images(images)), images)
