"""Measure the bundled small model and write its card.

    python scripts/tiny/assess.py --model experiments/models/tiny

Writes quality.json (every figure) and README.md (card.md, filled in with them) into the model's
folder:

- reconstruction: PSNR of the autoencoder on held-out renders, posterior mode, mean over images;
- cost: milliseconds a row of one UNet call, and an image of one decoding, at batch 48;
- clip: zero-shot accuracy on held-out renders, and retrieval of a render's caption among 100;
- colour: share of samples of "a bedroom with a COLOUR bed" that the small CLIP, asked zero-shot,
  calls COLOUR; its accuracy on held-out renders is what that share is worth;
- frechet: Frechet distance of the small CLIP's image embeddings between samples and held-out
  renders, prompts being captions of other held-out scenes, with render against render as floor.
"""

import argparse
import json
import timeit
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from data import scene, to_tensor
from diffusers import StableDiffusionPipeline
from torch import Tensor
from torch.nn.functional import normalize
from transformers import CLIPModel, CLIPTokenizer

from experiments.bedrooms import BED_COLOURS, Scene, caption, render
from experiments.bedrooms.captions import TIME_PHRASES
from experiments.bedrooms.scene import WALL_COLOURS
from experiments.errors import command
from metrics.sets import Gaussian, frechet

BATCH = 50
COUNT = 2000  # held-out renders, and samples of the Frechet distance
OF_A_COLOUR = 25  # samples
BEDS = [f"a bedroom with a {colour} bed" for colour in BED_COLOURS]
WALLS = [f"a bedroom with {colour} walls" for colour in WALL_COLOURS]
TIMES = [f"a bedroom {phrase}" for phrase in TIME_PHRASES.values()]


class SmallCLIP:
    """Unit-length embeddings of images in [-1, 1] and of texts."""

    def __init__(self, folder: Path) -> None:
        self.model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = CLIPTokenizer.from_pretrained(folder)

    def images(self, x: Tensor) -> Tensor:
        parts = [self.model.get_image_features(part).pooler_output for part in x.split(200)]
        return normalize(torch.cat(parts), dim=-1)

    def texts(self, texts: list[str]) -> Tensor:
        tokens = self.tokenizer(texts, padding=True, return_tensors="pt")
        return normalize(self.model.get_text_features(**tokens).pooler_output, dim=-1)

    def right(self, embeddings: Tensor, texts: list[str], truth: list[int]) -> Tensor:
        """1 for each embedded image whose nearest text is the true one, else 0."""
        return ((embeddings @ self.texts(texts).T).argmax(dim=1) == torch.tensor(truth)).float()


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


def milliseconds(call: Callable[[], object], rows: int, repeats: int = 8) -> float:
    """Median wall-clock time of a call, per row."""
    call()
    return 1000 * float(np.median(timeit.repeat(call, number=1, repeat=repeats))) / rows


def accuracy_on_renders(clip: SmallCLIP, embeddings: Tensor, scenes: list[Scene]) -> dict:
    rng = np.random.default_rng(1)
    texts = clip.texts([caption(scene, rng, (0, 0, 0, 0, 0, 1)) for scene in scenes])
    hits = [
        (e @ t.T).argmax(dim=1) == torch.arange(len(t))
        for e, t in zip(embeddings.split(100), texts.split(100), strict=True)
    ]
    truths = {
        "bed": (BEDS, [BED_COLOURS.index(s.bed) for s in scenes]),
        "wall": (WALLS, [WALL_COLOURS.index(s.wall) for s in scenes]),
        "time": (TIMES, [list(TIME_PHRASES).index(s.time) for s in scenes]),
    }
    found = {name: clip.right(embeddings, *asked).mean().item() for name, asked in truths.items()}
    return found | {"caption_among_100": torch.cat(hits).float().mean().item()}


def colour_accuracy(clip: SmallCLIP, draw: Callable[[list[str], int], Tensor]) -> dict:
    truth = [index for index in range(len(BEDS)) for _ in range(OF_A_COLOUR)]
    right = clip.right(clip.images(draw([BEDS[index] for index in truth], 0)), BEDS, truth)
    by_colour = right.view(-1, OF_A_COLOUR).mean(dim=1).tolist()
    return {
        "colour_accuracy": right.mean().item(),
        "colour_accuracy_samples": len(truth),
        "colour_accuracy_by_colour": dict(zip(BED_COLOURS, by_colour, strict=True)),
    }


def assess(model: Path, steps: int, guidance: float) -> dict:
    pipe = StableDiffusionPipeline.from_pretrained(model / "pipeline", torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    options = {"num_inference_steps": steps, "guidance_scale": guidance, "output_type": "pt"}

    def draw(texts: list[str], seed: int) -> Tensor:
        """Images (N, 3, 64, 64) in [-1, 1], from latents of one generator."""
        generator = torch.Generator().manual_seed(seed)
        batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        images = [pipe(batch, generator=generator, **options).images for batch in batches]
        return 2 * torch.cat(images) - 1

    clip = SmallCLIP(model / "clip")
    scenes, others = ([scene(i, stream=stream) for i in range(COUNT)] for stream in (1, 2))
    x = renders(scenes)
    embeddings = clip.images(x)
    reference = Gaussian.of(embeddings)
    rng = np.random.default_rng(2)
    drawn = draw([caption(scene, rng) for scene in others], 1)
    latents, states = torch.randn(48, 4, 16, 16), torch.randn(48, 32, 128)
    return {
        "torch_threads": torch.get_num_threads(),
        "steps": steps,
        "guidance_scale": guidance,
        "vae_psnr_db": psnr(pipe.vae, x),
        "unet_ms_per_row": milliseconds(lambda: pipe.unet(latents, 500, states), 48),
        "decode_ms_per_image": milliseconds(lambda: pipe.vae.decode(latents), 48),
        "clip_accuracy_on_renders": accuracy_on_renders(clip, embeddings, scenes),
        **colour_accuracy(clip, draw),
        "frechet_samples": COUNT,
        "frechet": frechet(reference, Gaussian.of(clip.images(drawn))),
        "frechet_render_floor": frechet(reference, Gaussian.of(clip.images(renders(others)))),
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
    colours = [f"{name} {x:.0%}" for name, x in quality["colour_accuracy_by_colour"].items()]
    fields = {
        **quality,
        **quality["clip_accuracy_on_renders"],
        **{part: parameters(part) for part in ("pipeline", "ddpm", "clip")},
        "training": "\n".join(stages),
        "history": "\n".join(training["history"]),
        "colours": ", ".join(colours),
    }
    return Path(__file__).with_name("card.md").read_text().format_map(fields)


@command()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=5.0)
    asked = parser.parse_args()
    training = json.loads((asked.model / "training.json").read_text())
    with torch.inference_mode():
        quality = assess(asked.model, asked.steps, asked.guidance)
    quality["bytes"] = files_record(asked.model)
    (asked.model / "quality.json").write_text(json.dumps(quality, indent=2) + "\n")
    (asked.model / "README.md").write_text(card(quality, training))


if __name__ == "__main__":
    main()
