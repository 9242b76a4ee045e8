"""A resumable training loop: AdamW, warm-up and cosine decay, an average of the weights."""

import copy
import io
import math
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm
from workshop import Workshop

from experiments.errors import resumable
from experiments.galleries.durable import replace_file

CHECKPOINT_SECONDS = 120

Loss = Callable[[nn.Module, np.random.Generator], Tensor]


def fit(name: str, shop: Workshop, model: nn.Module, loss: Loss) -> nn.Module:
    """Minimises `loss(model, rng)`; returns the exponential moving average of the weights.

    Step n draws all it needs from a generator of its own, so a resumed run continues the sequence
    of an unbroken one. The checkpoint work/NAME.pt also holds the loss and the seconds of every
    step; work/NAME.csv has the losses to read.
    """
    recipe, stage, path = shop.recipe, getattr(shop.recipe, name), shop.work / f"{name}.pt"
    model = model.to(shop.device, memory_format=torch.channels_last)
    params = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        params, lr=0.0, betas=(0.9, 0.99), weight_decay=recipe.weight_decay, fused=True
    )
    average = copy.deepcopy(model).requires_grad_(False)
    parts = {"model": model, "average": average, "optimiser": optimiser}
    state: dict[str, list[float]] = {"losses": [], "seconds": []}
    if path.exists():
        state = torch.load(path, weights_only=True, map_location=shop.device)
        for key, part in parts.items():
            part.load_state_dict(state.pop(key))
    kept, saved = len(state["losses"]), time.monotonic()
    done = kept == stage.steps
    bar = tqdm(
        range(kept, stage.steps), name, stage.steps, initial=kept, disable=done or shop.quiet
    )
    with resumable(lambda: f"{kept} of {stage.steps} steps of {name} are kept"):
        for step in bar:
            began = time.monotonic()
            optimiser.param_groups[0]["lr"] = stage.peak_rate * share(
                step, stage.steps, recipe.warmup_steps
            )
            with torch.autocast("cuda", torch.bfloat16, enabled=shop.device != "cpu"):
                value = loss(model, shop.generator(name, step))
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(params, recipe.largest_gradient)
            optimiser.step()
            follow(average, model, decay=min(recipe.average_decay, (1 + step) / (10 + step)))
            now = time.monotonic()
            state["losses"].append(value.item())
            state["seconds"].append(now - began)
            bar.set_postfix(loss=state["losses"][-1], refresh=False)
            if now - saved > CHECKPOINT_SECONDS or step + 1 == stage.steps:
                buffer = io.BytesIO()
                torch.save({k: part.state_dict() for k, part in parts.items()} | state, buffer)
                replace_file(path, buffer.getvalue())
                kept, saved = step + 1, time.monotonic()
    lines = [f"{step},{value}" for step, value in enumerate(state["losses"], 1)]
    replace_file(path.with_suffix(".csv"), "\n".join(["step,loss", *lines, ""]).encode())
    return average


def share(step: int, steps: int, warmup: int) -> float:
    """Of the peak rate: a linear warm-up, then a cosine to zero."""
    return min(1.0, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * step / steps))


def follow(average: nn.Module, model: nn.Module, *, decay: float) -> None:
    """Moves every averaged weight towards the model's, in place."""
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
