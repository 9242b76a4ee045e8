"""A resumable training loop: AdamW, warm-up and cosine decay, an average of the weights.

Under torchrun every process takes its share of a batch and gradients are averaged over processes.
On a CPU that beats as many threads in one process, whose operators are too small to share out.
"""

import copy
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

EMA_DECAY = 0.999
CHECKPOINT_SECONDS = 120
REPORT_STEPS = 50


def learning_rate(step: int, steps: int, peak: float, warmup: int = 100) -> float:
    """Linear warm-up, then a cosine to zero."""
    return peak * min(1.0, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * step / steps))


def processes() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def average_gradients(params: list[nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes."""
    flat = torch.cat([p.grad.flatten() for p in params])
    dist.all_reduce(flat)
    flat /= processes()
    for p, part in zip(params, flat.split([p.numel() for p in params]), strict=True):
        p.grad.copy_(part.view_as(p.grad))


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

    Step n draws all it needs from a generator seeded by (stage, n, rank), so a resumed run
    continues the sequence of an unbroken one. The checkpoint work/STAGE.pt also holds the
    wall-clock seconds and the loss curve as (step, mean loss) pairs; `steps` may change between
    runs.
    """
    path = work / f"{stage}.pt"
    params = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(params, lr=peak, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
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
        rng = np.random.default_rng((sum(stage.encode()), step, rank()))
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, steps, peak)
        value = loss(model, rng)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        if processes() > 1:
            average_gradients(params)
        nn.utils.clip_grad_norm_(params, 1.0)
        optimiser.step()
        decay = min(EMA_DECAY, (1 + step) / (10 + step))
        torch._foreach_lerp_([a for a, _ in pairs], [p.data for _, p in pairs], 1 - decay)
        recent.append(value.item())
        step += 1
        now = time.monotonic()
        seconds, last = seconds + now - last, now
        if step % REPORT_STEPS == 0 and rank() == 0:
            curve.append((step, sum(recent) / len(recent)))
            minutes = (steps - step) * seconds / step / 60
            print(f"{stage} {step}/{steps} loss {curve[-1][1]:.5f} "
                  f"{seconds / step:.3f} s/step eta {minutes:.1f} min", flush=True)  # fmt: skip
            recent = []
        if rank() == 0 and (now - saved > CHECKPOINT_SECONDS or step == steps):
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
