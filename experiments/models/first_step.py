"""The clean estimate of a pipeline's first step, for any deterministic scheduler.

Whatever a pipeline does before, it hands its guided output y, with its state x, to the `step` of
its scheduler. There it is stopped: one network call. Of the scheduler two answers are asked, on
copies. What it makes of a clean image and a noise at this time (`add_noise`, or `scale_noise` of a
flow) gives alpha and sigma, and with them Tweedie's estimate

    clean = p x + q y      epsilon  1/alpha, -sigma/alpha        flow    1, -sigma
                           v        alpha/r^2, -sigma/r          sample  0, 1

with r^2 = alpha^2 + sigma^2, 1 where variance is preserved. And what its step makes of x and y,
a x + b y, must be what the estimate leads to: alpha' clean + (sigma'/sigma) (x - alpha clean) at a
smaller sigma' of the same process (DDIM, and the first step of DPM++, UniPC, Euler, Heun, PNDM).
A scheduler that draws again, or counts otherwise, is refused, and not guessed.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

import torch
from torch import Tensor

from coupling.diffusers import draws_again
from experiments.errors import UsageError
from experiments.models.process import at_least_float32
from experiments.models.quiet import quiet

Estimate = tuple[float, float]
"""p and q."""

ESTIMATES: dict[str, Callable[[float, float], Estimate]] = {
    "epsilon": lambda alpha, sigma: (1 / alpha, -sigma / alpha),
    "v_prediction": lambda alpha, sigma: (
        alpha / hypot(alpha, sigma) ** 2,
        -sigma / hypot(alpha, sigma),
    ),
    "sample": lambda alpha, sigma: (0.0, 1.0),
    "flow_prediction": lambda alpha, sigma: (1.0, -sigma),
}
PROCESSES: Sequence[Callable[[float, float], float]] = (
    hypot,  # variance preserving
    lambda alpha, sigma: alpha + sigma,  # a flow
    lambda alpha, sigma: alpha,  # variance exploding
)
"""Each is 1 at every time of its process."""


def estimate(scheduler: Any, time: Tensor, **eta: float) -> Estimate:
    """p and q at the first step; `scheduler` is at its start, and stays there.

    Raises UsageError: its first step is none of a deterministic process.
    """
    one = torch.ones(1, 1, 8, 8, device=time.device)
    zero = torch.zeros_like(one)

    def noised(image: Tensor, noise: Tensor) -> float:
        if hasattr(scheduler, "scale_noise"):
            return scheduler.scale_noise(image, time.reshape(1), noise).mean().item()
        return scheduler.add_noise(image, noise, time.reshape(1)).mean().item()

    def stepped(output: Tensor, state: Tensor) -> float:
        return (
            copy.deepcopy(scheduler).step(output, time, state, return_dict=False)[0].mean().item()
        )

    name = type(scheduler).__name__
    try:
        with quiet():
            drawn = draws_again(scheduler, **eta)
            alpha, sigma = noised(one, zero), noised(zero, one)
            p, q = ESTIMATES[scheduler.config.get("prediction_type", "flow_prediction")](
                alpha, sigma
            )
            u = stepped(one, zero) / q
            w = stepped(zero, one) - u * p
    except Exception as error:  # whatever a scheduler of another interface raises
        why = " ".join(str(error).split())
        raise UsageError(f"optimizer: {name} tells no clean estimate ({why})") from error
    after = u + w * alpha, w * sigma
    alike = any(abs(of(alpha, sigma) - 1) < 1e-3 and abs(of(*after) - 1) < 1e-3 for of in PROCESSES)
    if drawn or not alike or not -1e-3 < after[1] < sigma:
        raise UsageError(
            f"optimizer: the first step of {name} is random, or of no process that is known here: "
            "choose optimizer=none, and leave out a table's rows by table.rows='{ROW: null}'"
        )
    return p, q


@dataclass(frozen=True)
class Entry:
    """How drawn noises enter a pipeline's first step: packed, scaled, and with which estimate.

    places: where in the flat state of an image each drawn number lies; scale: what it is times;
    p, q: see `estimate`.
    """

    places: Tensor
    scale: float
    p: float
    q: float

    @classmethod
    def found(
        cls,
        start: tuple[Tensor, Sequence[Tensor]],
        noise: Tensor,
        state: Tensor,
        scheduler: Any,
        time: Tensor,
        *,
        dtype: torch.dtype,
        **eta: float,
    ) -> "Entry":
        """start: of `coupling.diffusers.start_of`; noise (n, ...) became `state` in `dtype`.

        Raises UsageError: it is more than scaled and packed; or as `estimate`.
        """
        p, q = estimate(scheduler, time, **eta)
        drawn, prepared = start
        given = noise.flatten(1).to(state.device, torch.float32)
        for counted in (drawn, *prepared):
            if counted.numel() == state[0].numel() == given.shape[1]:
                places = counted.flatten().argsort().to(state.device)
                found = state.flatten(1)[:, places].float()
                scale = (found * given).sum() / given.square().sum()
                apart = (found - scale * given).abs().max()
                if apart <= 8 * torch.finfo(dtype).eps * found.abs().max():
                    return cls(places, scale.item(), p, q)
        raise UsageError(
            "optimizer: the pipeline's first state is not its noise, scaled and packed: choose "
            "optimizer=none"
        )

    def unpacked(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """What is packed as the state is, as the drawn noises of `shape` lie."""
        return x.flatten(1)[:, self.places].view(*shape)

    def clean(self, noise: Tensor, output: Tensor) -> Tensor:
        """The clean estimate, as the drawn noises lie, at least float32."""
        x = self.p * self.scale * at_least_float32(noise.to(output.device))
        return x + self.q * at_least_float32(output)
