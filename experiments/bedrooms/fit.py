"""A resumable training loop: AdamW, warm-up and cosine decay, an average of the weights."""

import copy
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

EMA_DECAY = 0.999
CHECKPOINT_SECONDS = 120
REPORT_STEPS = 50


def learning_rate(step: int, steps: int, peak: float, warmup: int = 100) -> float:
    """Linear warm-up, then a cosine to zero."""
    return peak * min(1.0, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * step / steps))


def fit(
    stage: str,
    work: Path,
    model: nn.Module,
    loss: Callable[[nn.Module, np.random.Generator], Tensor],
    *,
    steps: int,
    peak: float,
) -> nn.Module:
    """Minimise `loss(model, rng)` and return the exponential moving average of the weights.

    Step n draws all it needs from a generator seeded by (stage, n), so a resumed run continues the
    sequence of an unbroken one. The checkpoint work/STAGE.pt also holds the wall-clock seconds and
    the loss curve as (step, mean loss) pairs; `steps` may change between runs.
    """
    path = work / f"{stage}.pt"
    params = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(params, lr=peak, betas=(0.9, 0.99), weight_decay=1e-4)
    average = copy.deepcopy(model).requires_grad_(False)
    pairs = list(zip(average.parameters(), model.parameters(), strict=True))
    step, seconds, curve = 0, 0.0, []
    if path.exists():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step, seconds, curve = state["step"], state["seconds"], state["curve"]
    saved = last = time.monotonic()
    recent: list[float] = []
    while step < steps:
        rng = np.random.default_rng((sum(stage.encode()), step))
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, steps, peak)
        value = loss(model, rng)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        optimiser.step()
        decay = min(EMA_DECAY, (1 + step) / (10 + step))
        torch._foreach_lerp_([a for a, _ in pairs], [p.data for _, p in pairs], 1 - decay)
        recent.append(value.item())
        step += 1
        now = time.monotonic()
        seconds, last = seconds + now - last, now
        if step % REPORT_STEPS == 0:
            curve.append((step, sum(recent) / len(recent)))
            minutes = (steps - step) * seconds / step / 60
            print(f"{stage} {step}/{steps} loss {curve[-1][1]:.5f} "
                  f"{seconds / step:.3f} s/step eta {minutes:.1f} min", flush=True)  # fmt: skip
            recent = []
        if now - saved > CHECKPOINT_SECONDS or step == steps:
            state = {
                "model": model.state_dict(),
                "average": average.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step,
                "seconds": seconds,
                "curve": curve,
            }
            torch.save(state, path.with_suffix(".tmp"))
            path.with_suffix(".tmp").rename(path)
            saved = last = time.monotonic()
    return average


def replace_folder(target: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a folder beside `target`, then put it in `target`'s place."""
    fresh, old = target.with_name(target.name + ".new"), target.with_name(target.name + ".old")
    for path in (fresh, old):
        shutil.rmtree(path, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    write(fresh)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)
