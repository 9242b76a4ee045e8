"""SDEdit and blending: equal to diffusers' image-to-image and inpainting pipelines."""

import diffusers
import pytest
import torch
from float64 import in_float64, scheduler_in_float64

from experiments.errors import UsageError
from experiments.models.editing import blend, sdedit
from experiments.models.quiet import quiet

SIZE = 16
PROMPTS = ["a red bed", "two lamps by a window"]
TOLERANCE = 1e-5  # of images in [0, 1]
KEEP = torch.zeros(8, 8, dtype=torch.bool)
KEEP[2:6, 1:5] = True


def drawn(model, seed: int) -> torch.Tensor:
    return torch.randn(2, *model.noise_shape, generator=torch.Generator().manual_seed(seed))


def sibling(family, kind):
    """Another diffusers pipeline of the same parts."""
    with quiet():
        pipeline = kind(**family.pipeline.components, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.mark.parametrize(
    ("name", "guidance", "num_steps", "strength"),
    [
        ("sd", 1.0, 50, 0.58),  # 28.999999999999996 steps
        ("sd", 6.0, 4, 0.74),
        ("sd", 1.0, 4, 1.0),
        ("sd_v", 1.0, 4, 0.75),
    ],
)
def test_sdedit_equals_diffusers_image_to_image(
    families, monkeypatch, name, guidance, num_steps, strength
):
    family = families(name)
    model = family.model(num_steps=num_steps, guidance=guidance)
    clean, noise = drawn(model, 1), drawn(model, 2)
    pipeline = sibling(family, diffusers.StableDiffusionImg2ImgPipeline)
    module = diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img
    monkeypatch.setattr(module, "randn_tensor", lambda *_, **__: noise)
    theirs = pipeline(
        PROMPTS,
        image=clean,  # four channels: taken for latents
        strength=strength,
        num_inference_steps=num_steps,
        guidance_scale=guidance,
        output_type="pt",
    ).images
    with torch.inference_mode():
        condition = model.encode_prompts(PROMPTS)
        ours = model.decode(sdedit(model, clean, noise, condition, strength=strength))
    torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=0)


def test_sdedit_in_pixels_equals_diffusers_scheduler(families):
    family = families("ddpm")
    model = in_float64(family.model(num_steps=20))
    clean, noise = drawn(model, 1).clamp(-1, 1).double(), drawn(model, 2).double()
    scheduler = scheduler_in_float64(diffusers.DDIMScheduler, family.pipeline.scheduler.config)
    scheduler.set_timesteps(20)
    with torch.inference_mode():
        x = scheduler.add_noise(clean, noise, scheduler.timesteps[4])
        for timestep in scheduler.timesteps[4:]:
            x = scheduler.step(model.unet(x, timestep).sample, timestep, x).prev_sample
        ours = sdedit(model, clean, noise, {}, strength=0.8)
    # Its last step clips; ours leaves that to the decoder.
    torch.testing.assert_close(model.decode(ours), model.decode(x), atol=1e-9, rtol=0)
    torch.testing.assert_close(ours.clamp(-1, 1), x, atol=1e-9, rtol=0)


@pytest.mark.parametrize("strength", [0.0, 0.04, 1.1])
def test_a_strength_without_a_step_names_the_range(families, strength):
    model = families("sd").model(num_steps=20)
    with pytest.raises(UsageError, match=r"at most 1, and at least 0\.05 for one of 20 steps"):
        sdedit(model, drawn(model, 1), drawn(model, 2), {}, strength=strength)


@pytest.mark.parametrize("guidance", [1.0, 6.0])
def test_blending_equals_diffusers_inpainting_with_an_ordinary_network(families, guidance):
    family = families("sd")
    model = family.model(guidance=guidance)
    clean, noise = drawn(model, 1), drawn(model, 2)
    pipeline = sibling(family, diffusers.StableDiffusionInpaintPipeline)
    pixels = KEEP.repeat_interleave(2, 0).repeat_interleave(2, 1)
    theirs = pipeline(
        PROMPTS,
        image=clean,
        mask_image=(~pixels).float().expand(2, 1, SIZE, SIZE),
        masked_image_latents=clean,  # unused by a UNet of four channels
        latents=noise,
        strength=1.0,
        height=SIZE,
        width=SIZE,
        num_inference_steps=model.process.num_steps,
        guidance_scale=guidance,
        output_type="pt",
    ).images
    with torch.inference_mode():
        condition = model.encode_prompts(PROMPTS)
        ours = model.decode(blend(model, clean, noise, condition, keep=KEEP.expand(2, 8, 8)))
    torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", ["sd", "sd3", "ddpm"])
def test_blended_latents_are_the_image_on_the_object_and_the_noise_matters_elsewhere(
    families, name
):
    model = families(name).model()
    clean, side = drawn(model, 1), model.noise_shape[-1]
    keep = torch.arange(side).expand(side, side) < side // 2
    with torch.inference_mode():
        condition = model.encode_prompts(PROMPTS)
        one, other = (
            blend(model, clean, drawn(model, seed), condition, keep=keep) for seed in (2, 3)
        )
    assert torch.equal(one[..., keep], clean[..., keep])
    assert (one - other)[..., ~keep].abs().mean() > 0.01
