"""Fetches every family from the rehearsal's hub, and prints how far its images are from diffusers'.

A program of its own: the hub's library reads where the hub is when it is imported.
"""

import json
import sys
from pathlib import Path

from scripts.rehearsal.stage import staged

STEPS, K = 4, 2
PROMPTS = ["a bedroom", "a red bed"]


def main(folder: Path) -> None:
    with staged(folder):
        print(json.dumps({name: difference(name) for name in PIPELINES}))


def difference(name: str) -> float:
    """The largest difference of an image, over a batch of two galleries."""
    import torch

    from experiments.cells.build import model_of
    from experiments.compose import compose
    from experiments.models.condition import repeat_rows
    from experiments.models.hub import resolve
    from scripts.rehearsal.repositories import PIXELS, SIZE

    side = PIXELS if name == "ddpm_bedroom" else SIZE
    settings = [f"model.image_size={side}", f"model.num_steps={STEPS}", "model.device=cpu"]
    source = model_of(compose([f"model={name}", *settings]))
    model, stated = source.load(), source.settings
    snapshot = resolve(
        stated["source"],
        revision=stated["revision"],
        variant=stated["variant"],
        parts=source.family.parts_with(**stated),
    )
    drawn = torch.Generator().manual_seed(1)
    noise = torch.randn(len(PROMPTS) * K, *model.noise_shape, generator=drawn)
    images = torch.rand(len(noise), 3, side, side, generator=drawn)
    keep = torch.zeros(len(noise), side, side, dtype=torch.bool)
    keep[:, 16:48, 8:40] = True
    with torch.inference_mode():
        condition = repeat_rows(model.encode_prompts(PROMPTS), K)
        if model.fills_in:
            condition = model.with_known(condition, images=images, keep=keep)
        ours = model.decode(model.sample(noise, condition))
        known = {"image": images, "mask_image": (~keep).float().unsqueeze(1)}
        theirs = PIPELINES[name](snapshot, noise, model.guidance, known)
    return (ours - theirs).abs().max().item()


def _guided(kind: str, sampler: str | None, **options):
    """What a text-to-image pipeline of diffusers makes of a snapshot, with its own loader."""

    def images(snapshot, noise, guidance, known):
        import diffusers
        import torch

        pipeline = getattr(diffusers, kind).from_pretrained(
            snapshot, variant="fp16", dtype=torch.float32, local_files_only=True, **options
        )
        if sampler:
            scheduler = getattr(diffusers, sampler).from_pretrained(snapshot / "scheduler")
            pipeline.scheduler = scheduler
        pipeline.set_progress_bar_config(disable=True)
        prompts = [prompt for prompt in PROMPTS for _ in range(K)]
        given = {**known, "strength": 1.0} if "Inpaint" in kind else {}
        if given:
            module = diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_inpaint
            module.retrieve_latents = lambda output, **_: output.latent_dist.mode()
        return pipeline(
            prompts, height=64, width=64, num_inference_steps=STEPS, guidance_scale=guidance,
            latents=noise, output_type="pt", **given,
        ).images  # fmt: skip

    return images


def _unconditional(snapshot, noise, guidance, known):
    """DDIMPipeline draws its own noise; it is handed ours instead. It opens the pickle itself."""
    import diffusers

    network = diffusers.UNet2DModel.from_pretrained(snapshot, use_safetensors=False)
    scheduler = diffusers.DDIMScheduler.from_pretrained(snapshot)
    pipeline = diffusers.DDIMPipeline(network, scheduler)
    pipeline.set_progress_bar_config(disable=True)
    diffusers.pipelines.ddim.pipeline_ddim.randn_tensor = lambda *_, **__: noise
    return pipeline(batch_size=len(noise), num_inference_steps=STEPS, output_type="pt").images


UNCHECKED = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
PIPELINES = {
    "sd15": _guided("StableDiffusionPipeline", "DDIMScheduler", **UNCHECKED),
    "sd15_inpaint": _guided("StableDiffusionInpaintPipeline", "DDIMScheduler", **UNCHECKED),
    "sdxl": _guided("StableDiffusionXLPipeline", "DDIMScheduler"),
    "sd3": _guided("StableDiffusion3Pipeline", None),
    "ddpm_bedroom": _unconditional,
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
