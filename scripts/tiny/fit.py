"""A resumable training loop: AdamW, warm-up and cosine decay, an average of the weights."""

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

EMA_DECAY = 0.999
CHECKPOINT_SECONDS = 120
REPORT_STEPS = 50


def fit(
    stage: str,
    work: Path,
    model: nn.Module,
    loss: Callable[[nn.Module, np.random.Generator], Tensor],
    *,
    steps: int,
    peak: float,
) -> nn.Module:
    """Minimises `loss(model, rng)`; returns the exponential moving average of the weights.

    Step n draws all it needs from a generator seeded by (stage, n), so a resumed run continues the
    sequence of an unbroken one. The checkpoint work/STAGE.pt also holds the wall-clock seconds and
    the loss curve as (step, mean loss) pairs; `steps` may change between runs.
    """
    path = work / f"{stage}.pt"
    params = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(params, lr=peak, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
    average = copy.deepcopy(model).requires_grad_(False)
    parts = {"model": model, "average": average, "optimiser": optimiser}
    state: dict = {"step": 0, "seconds": 0.0, "curve": []}
    if path.exists():
        state = torch.load(path, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state.pop(name))
    recent: list[float] = []
    saved = last = time.monotonic()
    bar = tqdm(range(state["step"], steps), desc=stage, initial=state["step"], total=steps)
    for step in bar:
        optimiser.param_groups[0]["lr"] = learning_rate(step, steps, peak)
        value = loss(model, np.random.default_rng((sum(stage.encode()), step)))
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        optimiser.step()
        follow(average, model, decay=min(EMA_DECAY, (1 + step) / (10 + step)))
        recent.append(value.item())
        now = time.monotonic()
        state["step"], state["seconds"] = step + 1, state["seconds"] + now - last
        last = now
        if state["step"] % REPORT_STEPS == 0:
            state["curve"].append((step + 1, sum(recent) / len(recent)))
            bar.set_postfix(loss=state["curve"][-1][1])
            recent = []
        if now - saved > CHECKPOINT_SECONDS or state["step"] == steps:
            weights = {name: part.state_dict() for name, part in parts.items()}
            torch.save(weights | state, path.with_suffix(".tmp"))
            path.with_suffix(".tmp").rename(path)
            saved = last = time.monotonic()
    return average


def learning_rate(step: int, steps: int, peak: float, warmup: int = 100) -> float:
    """Linear warm-up, then a cosine to zero."""
    return peak * min(1.0, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * step / steps))


def follow(average: nn.Module, model: nn.Module, *, decay: float) -> None:
    """Moves every averaged weight towards the model's, in place."""
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
