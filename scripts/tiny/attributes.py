"""Train the reader of attributes on renderings: 20,000 scenes, a few minutes on one core.

    python scripts/tiny/attributes.py --out experiments/models/tiny/attributes

Colours and places are all there is to read, so a small convolutional network does; noise and blur
keep it from reading what a generated picture has not. Its accuracy is measured on renderings of a
stream of scenes of its own and written beside the weights.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from data import TRAINING, scene
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import avg_pool2d, cross_entropy
from tqdm import trange

from experiments.bedrooms import render
from experiments.compose import compose
from experiments.errors import command
from metrics.features.attributes import Attributes, reader

SCENES, EPOCHS, BATCH, PEAK = 20_000, 8, 64, 3e-3
HELD_OUT, HELD_OUT_STREAM = 2_000, 4  # no other program draws scenes from this stream


def pictures(count: int, stream: int, attributes: Attributes) -> tuple[Tensor, Tensor]:
    """Renderings, (N, 3, 64, 64) in [0, 1], and the numbers of their values, (N, A)."""
    scenes = [scene(index, stream=stream) for index in range(count)]
    images = torch.from_numpy(np.stack([render(one)[0] for one in scenes]))
    values = [
        [list(phrases).index(getattr(one, name) or "none") for name, phrases in attributes.items()]
        for one in scenes
    ]
    return images.permute(0, 3, 1, 2) / 255, torch.tensor(values)


def disturbed(images: Tensor, generator: torch.Generator) -> Tensor:
    """Half of them blurred, and all with noise of up to 0.05."""
    blurred = avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
    share, noise = (torch.rand(len(images), 1, 1, 1, generator=generator) for _ in range(2))
    mixed = torch.lerp(images, blurred, (2 * share - 1).clamp_min(0))
    return mixed + 0.05 * noise * torch.randn(images.shape, generator=generator)


def train(images: Tensor, values: Tensor, sizes: list[int]) -> torch.nn.Module:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = reader(sum(sizes)).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), lr=PEAK, weight_decay=1e-2)
    steps = EPOCHS * len(images) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK, total_steps=steps)
    for _ in trange(steps, desc="attributes"):
        chosen = torch.randint(len(images), (BATCH,), generator=generator)
        logits = model(disturbed(images[chosen], generator)).split(sizes, -1)
        loss = sum(cross_entropy(one, values[chosen, a]) for a, one in enumerate(logits))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model.eval()


@command(status=2)
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    attributes = compose(["metrics=tiny_attributes"]).metrics.features.attributes.attributes
    sizes = [len(phrases) for phrases in attributes.values()]
    model = train(*pictures(SCENES, TRAINING, attributes), sizes).half().float()  # as stored
    images, values = pictures(HELD_OUT, HELD_OUT_STREAM, attributes)
    with torch.inference_mode():
        logits = model(images).split(sizes, -1)
    right = torch.stack([one.argmax(-1) == values[:, a] for a, one in enumerate(logits)], -1)
    accuracy = dict(zip(attributes, right.double().mean(0).tolist(), strict=True))
    out.mkdir(parents=True, exist_ok=True)
    save_file(model.half().state_dict(), out / "model.safetensors")
    record = {"scenes": SCENES, "held_out": HELD_OUT, "accuracy": accuracy}
    (out / "quality.json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
