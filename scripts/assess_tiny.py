"""Measure the bundled small model and write its card.

Writes quality.json (every figure) and README.md (the model card, figures taken from quality.json)
into the model's folder:

- reconstruction: PSNR of the autoencoder on held-out renders, posterior mode, mean over images;
- cost: milliseconds a row of one UNet call, and an image of one decoding, at batch 48;
- clip: zero-shot accuracy on held-out renders, and retrieval of a render's caption among 100;
- colour: share of samples of "a bedroom with a COLOUR bed" that the small CLIP, asked zero-shot,
  calls COLOUR; its accuracy on held-out renders is what that share is worth;
- frechet: Frechet distance of the small CLIP's image embeddings between samples and held-out
  renders, prompts being captions of other held-out scenes, with render against render as floor.

    python scripts/assess_tiny.py --model experiments/models/tiny --work build/tiny
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from torch import Tensor
from transformers import CLIPModel, CLIPTokenizer

from experiments.bedrooms import BED_COLOURS, Scene, caption, render, sample_scene
from experiments.bedrooms.captions import TIME_PHRASES
from experiments.bedrooms.card import card
from experiments.bedrooms.scene import WALL_COLOURS
from experiments.errors import command

BATCH = 50


def held_out_scenes(count: int, stream: int) -> list[Scene]:
    """Scenes of a random stream that training (stream 0) has not seen."""
    return [sample_scene(np.random.default_rng((stream, i))) for i in range(count)]


def as_images(scenes: list[Scene]) -> Tensor:
    """(N, 3, 64, 64) float32 in [-1, 1]."""
    pixels = torch.from_numpy(np.stack([render(scene)[0] for scene in scenes]))
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


class SmallCLIP:
    """Unit-length embeddings of images in [-1, 1] and of texts."""

    def __init__(self, folder: Path) -> None:
        self.model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = CLIPTokenizer.from_pretrained(folder)

    def images(self, x: Tensor) -> Tensor:
        parts = [self.model.vision_model(part).pooler_output for part in x.split(200)]
        return torch.nn.functional.normalize(self.model.visual_projection(torch.cat(parts)), dim=-1)

    def texts(self, texts: list[str]) -> Tensor:
        tokens = self.tokenizer(texts, padding=True, return_tensors="pt")
        pooled = self.model.text_model(**tokens).pooler_output
        return torch.nn.functional.normalize(self.model.text_projection(pooled), dim=-1)

    def choose(self, x: Tensor, texts: list[str]) -> Tensor:
        """Index of the text nearest to each image."""
        return (self.images(x) @ self.texts(texts).T).argmax(dim=1)


def psnr(vae: torch.nn.Module, x: Tensor) -> float:
    """Mean over images, dB, after clipping and rounding to 8 bits."""
    values = []
    for part in x.split(BATCH):
        y = vae.decode(vae.encode(part).latent_dist.mode()).sample.clamp(-1, 1)
        y, part = ((127.5 * (v + 1)).round() / 255 for v in (y, part))
        values.append(-10 * (y - part).square().mean(dim=(1, 2, 3)).log10())
    return torch.cat(values).mean().item()


def frechet(a: Tensor, b: Tensor) -> float:
    """|mu_a - mu_b|^2 + tr(A + B - 2 (A B)^(1/2)) of two samples of vectors."""
    a, b = a.double(), b.double()
    cov_a, cov_b = a.T.cov(), b.T.cov()
    root = torch.linalg.eigvals(cov_a @ cov_b).real.clamp(min=0).sqrt().sum()
    return (
        (a.mean(0) - b.mean(0)).square().sum() + cov_a.trace() + cov_b.trace() - 2 * root
    ).item()


def milliseconds(call: Callable[[], object], rows: int, repeats: int = 8) -> float:
    """Median wall-clock time of a call, per row."""
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds)) / rows


def sample(
    pipe: StableDiffusionPipeline, texts: list[str], seed: int, steps: int, guidance: float
) -> Tensor:
    """(N, 3, 64, 64) in [-1, 1]; latents from one generator."""
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for start in range(0, len(texts), BATCH):
        images = pipe(
            texts[start : start + BATCH],
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=generator,
            output_type="pt",
        ).images
        parts.append(2 * images - 1)
    return torch.cat(parts)


def contact_sheet(x: Tensor, columns: int, scale: int = 2) -> Image.Image:
    pixels = (127.5 * (x.clamp(-1, 1) + 1)).round().byte().permute(0, 2, 3, 1).numpy()
    rows = [np.concatenate(pixels[i : i + columns], 1) for i in range(0, len(pixels), columns)]
    sheet = Image.fromarray(np.concatenate(rows, 0))
    return sheet.resize((sheet.width * scale, sheet.height * scale), Image.Resampling.BICUBIC)


def assess(model: Path, count: int, steps: int, guidance: float, sheet: Path | None) -> dict:
    pipe = StableDiffusionPipeline.from_pretrained(model / "pipeline", torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    clip = SmallCLIP(model / "clip")
    scenes = held_out_scenes(count, stream=1)
    x = as_images(scenes)
    bed_prompts = [f"a bedroom with a {colour} bed" for colour in BED_COLOURS]

    latents, states = torch.randn(48, 4, 16, 16), torch.randn(48, 32, 128)
    quality: dict = {
        "torch_threads": torch.get_num_threads(),
        "steps": steps,
        "guidance_scale": guidance,
        "vae_psnr_db": psnr(pipe.vae, x),
        "unet_ms_per_row": milliseconds(lambda: pipe.unet(latents, 500, states), 48),
        "decode_ms_per_image": milliseconds(lambda: pipe.vae.decode(latents), 48),
    }

    def zero_shot(texts: list[str], truth: list[int]) -> float:
        return (clip.choose(x, texts) == torch.tensor(truth)).float().mean().item()

    walls = [f"a bedroom with {colour} walls" for colour in WALL_COLOURS]
    times = [f"a bedroom {phrase}" for phrase in TIME_PHRASES.values()]
    rng = np.random.default_rng(1)
    texts = clip.texts([caption(scene, rng, (0, 0, 0, 0, 0, 1)) for scene in scenes])
    embeddings = clip.images(x)
    hits = [
        (e @ t.T).argmax(dim=1) == torch.arange(len(t))
        for e, t in zip(embeddings.split(100), texts.split(100), strict=True)
    ]
    quality["clip_accuracy_on_renders"] = {
        "bed": zero_shot(bed_prompts, [BED_COLOURS.index(s.bed) for s in scenes]),
        "wall": zero_shot(walls, [WALL_COLOURS.index(s.wall) for s in scenes]),
        "time": zero_shot(times, [list(TIME_PHRASES).index(s.time) for s in scenes]),
        "caption_among_100": torch.cat(hits).float().mean().item(),
    }

    each = 25
    asked = [prompt for prompt in bed_prompts for _ in range(each)]
    beds = sample(pipe, asked, 0, steps, guidance)
    right = clip.choose(beds, bed_prompts) == torch.arange(len(bed_prompts)).repeat_interleave(each)
    per_colour = right.view(-1, each).float().mean(dim=1).tolist()
    quality["colour_accuracy"] = right.float().mean().item()
    quality["colour_accuracy_samples"] = len(asked)
    quality["colour_accuracy_by_colour"] = dict(zip(BED_COLOURS, per_colour, strict=True))

    others = held_out_scenes(count, stream=2)
    rng = np.random.default_rng(2)
    drawn = sample(pipe, [caption(scene, rng) for scene in others], 1, steps, guidance)
    quality["frechet_samples"] = count
    quality["frechet"] = frechet(clip.images(drawn), embeddings)
    quality["frechet_render_floor"] = frechet(clip.images(as_images(others)), embeddings)
    if sheet is not None:
        contact_sheet(torch.cat([beds[::5], drawn[:40]]), columns=10).save(sheet)
    return quality


def training_record(work: Path) -> dict:
    """Steps, seconds and the last reported mean loss of every stage."""
    record = {}
    for stage in ("vae", "clip", "unet", "decoder", "ddpm"):
        state = torch.load(work / f"{stage}.pt", weights_only=True, mmap=True)
        record[stage] = {
            "steps": state["step"],
            "seconds": round(state["seconds"]),
            "loss": state["curve"][-1][1],
        }
    return record


def files_record(model: Path) -> dict:
    """Bytes of weights and of everything, card and figures aside."""
    parts = [p for part in ("pipeline", "ddpm", "clip") for p in (model / part).rglob("*")]
    sizes = {p: p.stat().st_size for p in parts if p.is_file()}
    weights = {str(p.relative_to(model)): n for p, n in sizes.items() if p.suffix == ".safetensors"}
    return {"weights": weights, "total": sum(sizes.values())}


@command()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--work", type=Path, required=True, help="the training's checkpoints")
    parser.add_argument("--count", type=int, default=2000, help="images of the Frechet distance")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of samples here")
    args = parser.parse_args()
    with torch.inference_mode():
        quality = assess(args.model, args.count, args.steps, args.guidance, args.sheet)
    quality["training"] = training_record(args.work)
    quality["bytes"] = files_record(args.model)
    (args.model / "quality.json").write_text(json.dumps(quality, indent=2) + "\n")
    (args.model / "README.md").write_text(card(quality))


if __name__ == "__main__":
    main()
