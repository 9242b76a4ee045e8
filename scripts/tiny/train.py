"""Train the bundled small model on rendered bedrooms, in one go that may be cut anywhere.

    python scripts/tiny/train.py --work outputs/train_tiny --out experiments/models/tiny

The stages (stages.py) are trained one after the other, by the recipe (recipe.py), whose settings
may be changed: `... unet.steps=3600 seed=1`. Stopped, or killed, the same command goes on from
the checkpoints under --work; on the same CPU, with as many threads, its weights are those of a
run that was not stopped, to the bit. When all is done, ordinary diffusers and transformers folders
(fp16 safetensors), training.json and curves.png are written under --out.

On a CPU it steps aside for other programs (--nice). `--device cuda` has all data on the device and
computes in bfloat16; that has not been tried on a card yet, nor is it promised to the bit.
"""

import argparse
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from architectures import MODEL, new_tokenizer, untrained
from diffusers import DDIMScheduler, DDPMPipeline, DDPMScheduler, StableDiffusionPipeline
from recipe import STAGES, keep_to, recipe_with
from stages import trained
from transformers import CLIPImageProcessor
from workshop import Workshop

from experiments.errors import UsageError, command
from experiments.figures.style import panels, style

TIMED_STEPS = 4
LAST = 50  # losses that are averaged


def train(shop: Workshop, out: Path) -> None:
    """Trains what is not trained yet, and then writes everything under `out`."""
    made_by = keep_to(shop.recipe, shop.work, shop.device)
    say_how_long(shop)
    for name in STAGES:
        trained(name, shop)
    publish(shop, made_by, out)


def steps_of(shop: Workshop) -> dict[str, dict[str, list[float]]]:
    """The losses and the seconds of every step of every stage, as far as they are kept."""
    found = {}
    for name in STAGES:
        path, state = shop.work / f"{name}.pt", {}
        if path.exists():
            state = torch.load(path, weights_only=True, mmap=True, map_location="cpu")
        found[name] = {key: state.get(key, []) for key in ("losses", "seconds")}
    return found


def say_how_long(shop: Workshop) -> None:
    """Prints how long the steps that are left will take, by a few of each on stand-in weights."""
    recipe, done = shop.recipe, steps_of(shop)
    left = {name: getattr(recipe, name).steps - len(done[name]["losses"]) for name in STAGES}
    if not any(left.values()):
        return
    print(f"timing {TIMED_STEPS} steps of each stage ...", flush=True)
    few = {name: replace(getattr(recipe, name), steps=TIMED_STEPS) for name in STAGES}
    scenes = max(stage.batch for stage in few.values())
    with TemporaryDirectory() as folder:
        small = replace(recipe, scenes=scenes, **few)
        trial = Workshop(small, Path(folder), shop.device, quiet=True)
        for name in STAGES:
            trained(name, trial)
        each = {name: median(row["seconds"][1:]) for name, row in steps_of(trial).items()}
    for name, count in left.items():
        print(f"  {name:8}{count:6} steps of {each[name]:.2f} s")
    hours = sum(count * each[name] for name, count in left.items()) / 3600
    print(
        f"about {hours:.1f} hours on {shop.device} with {torch.get_num_threads()} threads, beside "
        f"rendering and encoding {recipe.scenes} scenes; it may be stopped and started again",
        flush=True,
    )


def publish(shop: Workshop, made_by: dict, out: Path) -> None:
    """Writes the trained parts, what made them and the curves, each in one rename."""
    clip, networks = trained("clip", shop).half(), trained("unet", shop)
    processor = CLIPImageProcessor.from_pretrained(MODEL / "clip")
    tokenizer = new_tokenizer()  # one that has not been told to pad
    parts = (clip, tokenizer, processor)
    replace_folder(out / "clip", lambda path: [part.save_pretrained(path) for part in parts])
    pipeline = StableDiffusionPipeline(
        vae=trained("decoder", shop),
        text_encoder=networks["text_encoder"],
        tokenizer=tokenizer,
        unet=networks["unet"],
        scheduler=untrained(DDIMScheduler, "pipeline/scheduler"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).to(torch.float16)

    def write(path: Path) -> None:
        pipeline.save_pretrained(path)
        # transformers loads in the dtype that a config names, diffusers in float32: make them agree
        config = path / "text_encoder" / "config.json"
        config.write_text(config.read_text().replace('"dtype": "float16"', '"dtype": "float32"'))

    replace_folder(out / "pipeline", write)
    pixels = DDPMPipeline(trained("ddpm", shop).half(), untrained(DDPMScheduler, "ddpm/scheduler"))
    replace_folder(out / "ddpm", pixels.save_pretrained)
    steps = steps_of(shop)
    stages = {
        name: {
            "steps": len(row["losses"]),
            "seconds": round(sum(row["seconds"])),
            "loss": fmean(row["losses"][-LAST:]),
        }
        for name, row in steps.items()
    }
    history = ["One run of the script in one go; its losses, means of "
               f"{LAST} steps:", "", "![losses of the stages](curves.png)"]  # fmt: skip
    record = {"recipe": made_by, "stages": stages, "history": history}
    (out / "training.json").write_text(json.dumps(record, indent=2) + "\n")
    draw_curves({name: row["losses"] for name, row in steps.items()}, out / "curves.png")


def draw_curves(losses: dict[str, list[float]], path: Path) -> None:
    """A panel a stage: the running mean of its loss over its steps."""
    with style():
        figure, axes = panels(len(losses), size=(2.4, 1.8), margin=(0.2, 0.2))
        for axis, (name, values) in zip(axes, losses.items(), strict=True):
            width = min(LAST, len(values))
            means = np.convolve(values, np.full(width, 1 / width), mode="valid")
            axis.semilogy(np.arange(width, len(values) + 1), means)
            axis.set(title=name, xlabel="step")
        figure.savefig(path, metadata={"Software": None})


def replace_folder(target: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a folder beside `target`, then puts it in `target`'s place."""
    fresh, old = target.with_name(target.name + ".new"), target.with_name(target.name + ".old")
    for path in (fresh, old):
        shutil.rmtree(path, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    write(fresh)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)


@command(status=2)
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="checkpoints and rendered scenes")
    parser.add_argument("--out", type=Path, required=True, help="where the trained folders go")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--nice", type=int, default=10, help="how far to step aside on a CPU")
    parser.add_argument("changes", nargs="*", metavar="key=value", help="of the recipe")
    asked = parser.parse_args()
    if asked.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no such card here; leave it out for the CPU")
    if asked.device == "cpu":
        os.nice(asked.nice)
    train(Workshop(recipe_with(asked.changes), asked.work, asked.device), asked.out)


if __name__ == "__main__":
    main()
