"""Measure the bundled small model and write its card.

    python scripts/tiny/assess.py --model experiments/models/tiny

Writes quality.json (every figure) and README.md (card.md, filled in with them) into the model's
folder:

- reconstruction: PSNR of the autoencoder on held-out renders, posterior mode, mean over images;
- clip: zero-shot accuracy on held-out renders, and retrieval of a render's caption among 100;
- attributes: what the reader of attributes (attributes.py) sees in samples of captions of held-out
  scenes: the share that shows what its caption names, and, where that names nothing, how far the
  values' distribution is from the scenes', as total variation;
- frechet: Frechet distance of the small CLIP's image embeddings between these samples and other
  held-out renders, with render against render as floor.
"""

import argparse
import json
import math
import re
from pathlib import Path

import numpy as np
import torch
from data import scene, to_tensor
from diffusers import StableDiffusionPipeline
from torch import Tensor
from torch.nn.functional import normalize

from experiments.bedrooms import Scene, caption, render
from experiments.compose import build, compose
from experiments.errors import command
from metrics.features import CLIPFeatures
from metrics.sets import Gaussian, frechet

BATCH, STEPS, GUIDANCE = 50, 20, 5.0
COUNT = 2000  # held-out renders, and samples of the Frechet distance
ATTRIBUTES = build("metrics.features.attributes", compose(["metrics=tiny_attributes"]))
ZERO_SHOT_PREFIXES = {"bed": "a bedroom with ", "wall": "a bedroom with ", "time": "a bedroom "}


def renders(scenes: list[Scene]) -> Tensor:
    return to_tensor(torch.from_numpy(np.stack([render(scene)[0] for scene in scenes])))


def psnr(vae: torch.nn.Module, x: Tensor) -> float:
    """Mean over images, dB, after clipping and rounding to 8 bits."""
    values = []
    for part in x.split(BATCH):
        y = vae.decode(vae.encode(part).latent_dist.mode()).sample.clamp(-1, 1)
        y, part = ((127.5 * (v + 1)).round() / 255 for v in (y, part))
        values.append(-10 * (y - part).square().mean(dim=(1, 2, 3)).log10())
    return torch.cat(values).mean().item()


def values_of(scenes: list[Scene], name: str) -> Tensor:
    """The number of each scene's value of an attribute, (N,)."""
    values = [*ATTRIBUTES.attributes[name]]
    return torch.tensor([values.index(getattr(scene, name) or "none") for scene in scenes])


def accuracy_on_renders(clip: CLIPFeatures, embeddings: Tensor, scenes: list[Scene]) -> dict:
    def nearest(images: Tensor, texts: list[str]) -> Tensor:
        return (images @ normalize(clip.texts(texts), dim=-1).T).argmax(dim=1)

    rng, found = np.random.default_rng(1), {}
    for name, prefix in ZERO_SHOT_PREFIXES.items():
        texts = [prefix + phrase for phrase in ATTRIBUTES.attributes[name].values()]
        found[name] = (nearest(embeddings, texts) == values_of(scenes, name)).float().mean().item()
    captions = [caption(scene, rng, (0, 0, 0, 0, 0, 1)) for scene in scenes]
    parts = [(embeddings[k : k + 100], captions[k : k + 100]) for k in range(0, len(scenes), 100)]
    hits = [nearest(*part) == torch.arange(len(part[1])) for part in parts]
    return found | {"caption_among_100": torch.cat(hits).float().mean().item()}


def obedience(images: Tensor, texts: list[str], scenes: list[Scene]) -> dict:
    """What images (N, 3, H, W) in [0, 1] of the scenes' captions show, attribute by attribute."""
    read, is_open, found = ATTRIBUTES.images(images), ATTRIBUTES.is_open(texts), {}
    for (name, phrases), shown, free in zip(
        ATTRIBUTES.attributes.items(), read.T, is_open.T, strict=True
    ):
        truth = values_of(scenes, name)
        right, said = (shown == truth).float(), ~free
        free = free & torch.tensor([not re.search(rf"\b{name}s?\b", text) for text in texts])
        law, ours = (
            torch.bincount(seen[free], minlength=len(phrases)) / free.sum()
            for seen in (truth, shown)
        )
        found[name] = {
            "named": int(said.sum()),
            "shown": right[said].mean().item(),
            "by_value": {
                value: right[said & (truth == number)].mean().item()
                for number, value in enumerate(phrases)
                if phrases[value]
            },
            "left_open": int(free.sum()),
            "variation": (law - ours).abs().sum().item() / 2,
            "by_chance": (law * (1 - law) / free.sum() / math.pi).sqrt().sum().item(),
        }
    return {"attributes": found}


def assess(model: Path) -> dict:
    pipe = StableDiffusionPipeline.from_pretrained(model / "pipeline", torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    options = {"num_inference_steps": STEPS, "guidance_scale": GUIDANCE, "output_type": "pt"}

    def draw(texts: list[str], seed: int) -> Tensor:
        """Images (N, 3, 64, 64) in [0, 1], from latents of one generator."""
        generator = torch.Generator().manual_seed(seed)
        batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        images = [pipe(batch, generator=generator, **options).images for batch in batches]
        return torch.cat(images)

    clip = CLIPFeatures(source=str(model / "clip"), processor=str(model / "clip"))

    def embedded(images: Tensor) -> Tensor:
        return normalize(clip.images(images), dim=-1)

    scenes, others = ([scene(i, stream=stream) for i in range(COUNT)] for stream in (1, 2))
    x = renders(scenes)
    embeddings = embedded((x + 1) / 2)
    reference = Gaussian.of(embeddings)
    rng = np.random.default_rng(2)
    texts = [caption(scene, rng) for scene in others]
    drawn = draw(texts, 1)
    return {
        "steps": STEPS,
        "guidance_scale": GUIDANCE,
        "vae_psnr_db": psnr(pipe.vae, x),
        "clip_accuracy_on_renders": accuracy_on_renders(clip, embeddings, scenes),
        **obedience(drawn, texts, others),
        "frechet_samples": COUNT,
        "frechet": frechet(reference, Gaussian.of(embedded(drawn))),
        "frechet_render_floor": frechet(
            reference, Gaussian.of(embedded((renders(others) + 1) / 2))
        ),
    }


def files_record(model: Path) -> dict:
    """Bytes of weights and of everything, card and figures aside."""
    parts = [p for part in ("pipeline", "ddpm", "clip") for p in (model / part).rglob("*")]
    sizes = {p: p.stat().st_size for p in parts if p.is_file()}
    weights = {str(p.relative_to(model)): n for p, n in sizes.items() if p.suffix == ".safetensors"}
    return {"weights": weights, "total": sum(sizes.values())}


def card(quality: dict, training: dict) -> str:
    """The card's Markdown, from the contents of quality.json and training.json."""

    def parameters(part: str) -> str:  # float16 files have two bytes for each
        weights = quality["bytes"]["weights"].items()
        return f"{sum(size for path, size in weights if path.startswith(part)) / 2e6:.2f} M"

    stages = [
        f"| {stage} | {row['steps']} | {row['seconds']} | {row['loss']:.4f} |"
        for stage, row in training["stages"].items()
    ]
    obeyed = [
        f"| {name} | {row['named']} | {row['shown']:.1%} | {min(row['by_value'].values()):.1%} | "
        f"{row['left_open']} | {row['variation']:.3f} ({row['by_chance']:.3f}) |"
        for name, row in quality["attributes"].items()
    ]
    fields = {
        **quality,
        **quality["clip_accuracy_on_renders"],
        **{part: parameters(part) for part in ("pipeline", "ddpm", "clip")},
        "training": "\n".join(stages),
        "history": "\n".join(training["history"]),
        "obeyed": "\n".join(obeyed),
    }
    return Path(__file__).with_name("card.md").read_text().format_map(fields)


@command()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    asked = parser.parse_args()
    training = json.loads((asked.model / "training.json").read_text())
    with torch.inference_mode():
        quality = assess(asked.model)
    quality["bytes"] = files_record(asked.model)
    (asked.model / "quality.json").write_text(json.dumps(quality, indent=2) + "\n")
    (asked.model / "README.md").write_text(card(quality, training))


if __name__ == "__main__":
    main()
