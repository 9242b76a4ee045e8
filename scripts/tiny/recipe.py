"""All that decides about the bundled model's weights, beside its architectures, and its keeping.

Any of it is changed on the command line: `train.py ... unet.steps=3600 seed=1`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.errors import UsageError
from experiments.galleries.durable import replace_file


@dataclass(frozen=True)
class Stage:
    steps: int
    batch: int
    peak_rate: float  # of AdamW: a linear warm-up to it, then a cosine to zero


@dataclass(frozen=True)
class Recipe:
    seed: int = 0  # of the first weights, and of all that a step draws
    scenes: int = 30_000
    vae: Stage = Stage(steps=1300, batch=16, peak_rate=2e-3)
    clip: Stage = Stage(steps=600, batch=96, peak_rate=1e-3)
    unet: Stage = Stage(steps=14_400, batch=64, peak_rate=1.5e-3)
    decoder: Stage = Stage(steps=1300, batch=16, peak_rate=1e-3)
    ddpm: Stage = Stage(steps=4800, batch=32, peak_rate=1.5e-3)
    warmup_steps: int = 100
    weight_decay: float = 1e-4
    largest_gradient: float = 1.0  # gradients of a larger norm are scaled down to it
    average_decay: float = 0.999  # of the averaged weights, which are the ones kept
    kl_weight: float = 5e-4  # per pixel value, beside the mean squared error
    latent_std: float = 5.0  # of the stored autoencoder; the pipeline scales by its inverse
    caption_dropout: float = 0.1  # captions emptied, for guidance
    # Squared errors of epsilon count alpha_bar_t ** -power. At 1, the SNR + 1 weighting (Salimans
    # and Ho 2022), they count where t is large, too, and there the prompt matters most.
    epsilon_weight_power: float = 1.0


STAGES = ("vae", "clip", "unet", "decoder", "ddpm")


def recipe_with(changes: Sequence[str]) -> Recipe:
    """The recipe with `key=value` changes. Raises UsageError for an unknown key or a bad value."""
    try:
        stated = OmegaConf.structured(Recipe)
        for name in STAGES:
            OmegaConf.set_readonly(stated[name], False)  # as frozen classes are
        return OmegaConf.to_object(OmegaConf.merge(stated, OmegaConf.from_dotlist([*changes])))
    except OmegaConfBaseException as error:
        raise UsageError(f"{' '.join(changes)}: {str(error).splitlines()[0]}") from None


def keep_to(recipe: Recipe, work: Path, device: str) -> dict:
    """What decides about the bits, as work/recipe.json has it, which the first run writes.

    Raises UsageError where that folder was begun otherwise: its checkpoints are of another run.
    """
    asked = asdict(recipe) | {
        "device": device, "threads": torch.get_num_threads(), "torch": torch.__version__
    }  # fmt: skip
    path = work / "recipe.json"
    if not path.exists():
        work.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(asked, indent=2).encode())
    begun = json.loads(path.read_text())
    differ = [f"{key} {begun.get(key)}, not {asked[key]}" for key in asked
              if begun.get(key) != asked[key]]  # fmt: skip
    if differ:
        raise UsageError(f"{work} was begun with {'; '.join(differ)}: keep to it, or give another "
                         "--work")  # fmt: skip
    return asked
