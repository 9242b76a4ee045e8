"""Noise processes and their deterministic samplers, as tables of plain floats.

Both write x_t = alpha_t x_0 + sigma_t eps, and take one network call a step:

    DDIM       alpha_t^2 + sigma_t^2 = 1,  x_s = alpha_s x0(x_t) + sigma_s eps(x_t)
               (Song, Meng & Ermon, ICLR 2021, arXiv:2010.02502, eq. 12 with eta = 0)
    FlowEuler  alpha_t = 1 - sigma_t,      x_s = x_t + (sigma_s - sigma_t) v(x_t)
               (Esser et al., ICML 2024, arXiv:2403.03206)

The clean estimate x0(x_t) is Tweedie's formula. It takes x and the network's output apart, so a
gradient can be stopped at the network: `clean(x, output.detach(), step)`.

Inversion walks the same steps upwards, x_s -> x_t with s < t: x_t = alpha_t x0(x_s) + sigma_t eps.
The output at (x_t, t) is not known, so the network is called with t, but at x_s (as in diffusers'
DDIMInverseScheduler), and sampling undoes inversion up to what the output changes within a step.
The numbers are those of diffusers' scheduler, as Python floats, so that no step waits for the
device.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from experiments.errors import UsageError

# What the network predicts -> how its output moves with the clean estimate, at fixed x_t. Where
# sigma is 0, x_t is the clean estimate, and no output moves it.
SLOPES: dict[str, Callable[[float, float], float]] = {
    "epsilon": lambda alpha, sigma: -alpha / sigma if sigma else 0.0,
    "v_prediction": lambda alpha, sigma: -1 / sigma if sigma else 0.0,
    "sample": lambda alpha, sigma: 1.0,
}
# What the network predicts: x_t, output y, alpha_t, sigma_t -> (clean estimate, noise estimate).
PREDICTIONS: dict[str, Callable[[Tensor, Tensor, float, float], tuple[Tensor, Tensor]]] = {
    "epsilon": lambda x, y, alpha, sigma: ((x - sigma * y) / alpha, y),
    "v_prediction": lambda x, y, alpha, sigma: (alpha * x - sigma * y, alpha * y + sigma * x),
    "sample": lambda x, y, alpha, sigma: (y, (x - alpha * y) / sigma),
}


@dataclass(frozen=True)
class DDIM:
    """Deterministic DDIM over `num_steps` of the training timesteps.

    `alphas_cumprod[i]` is alpha^2 at `timesteps[i]`, `earlier_alphas_cumprod[i]` one training step
    before it (1 before the first), `next_alphas_cumprod[i]` where step i ends. The first and the
    last table are one, shifted, for every schedule with an even stride; diffusers' last stride, and
    its uneven "trailing" and "linspace" strides, differ, and are kept as they are.
    """

    timesteps: tuple[int, ...]
    alphas_cumprod: tuple[float, ...]
    earlier_alphas_cumprod: tuple[float, ...]
    next_alphas_cumprod: tuple[float, ...]
    prediction: str
    clip: float | None

    scheduler: ClassVar[str] = "DDIMScheduler"

    @classmethod
    def from_scheduler(cls, scheduler: Any, num_steps: int) -> "DDIM":
        """Tables of a diffusers DDIMScheduler; its own state does not matter.
        Raises UsageError: a prediction type, thresholding or number of steps that is not supported.
        """
        config = scheduler.config
        if config.prediction_type not in PREDICTIONS:
            raise UsageError(
                f"the scheduler's prediction_type {config.prediction_type!r} is not supported: "
                f"use a model with one of {', '.join(PREDICTIONS)}"
            )
        if config.thresholding:
            raise UsageError(
                "the scheduler's dynamic thresholding is not supported: "
                "set thresholding to false in scheduler_config.json"
            )
        train = scheduler.alphas_cumprod.tolist()
        if not 1 <= num_steps < len(train):
            raise UsageError(f"model.num_steps = {num_steps} must be from 1 to {len(train) - 1}")
        scheduler.set_timesteps(num_steps)
        timesteps = tuple(scheduler.timesteps.tolist())
        stride, final = len(train) // num_steps, float(scheduler.final_alpha_cumprod)
        return cls(
            timesteps=timesteps,
            alphas_cumprod=tuple(train[t] for t in timesteps),
            earlier_alphas_cumprod=tuple(train[t - 1] if t else 1.0 for t in timesteps),
            next_alphas_cumprod=tuple(
                train[t - stride] if t >= stride else final for t in timesteps
            ),
            prediction=config.prediction_type,
            clip=float(config.clip_sample_range) if config.clip_sample else None,
        )

    @property
    def num_steps(self) -> int:
        return len(self.timesteps)

    @property
    def levels(self) -> tuple[tuple[float, float], ...]:
        """(alpha_t, sigma_t) where each step begins."""
        return tuple((a**0.5, (1 - a) ** 0.5) for a in self.alphas_cumprod)

    def shifted(self) -> "DDIM":
        """The same, reading alpha one training step earlier than the network is told.

        The authors' release of CNO does, in its loss and in sampling (github.com/Jecstar66/CNO
        prepends a 1 to the table). Its image is the clean estimate of the last step, where alpha
        is 1.

        Raises UsageError: the network predicts x_0, and alpha is 1 where a step begins.
        """
        earlier = self.earlier_alphas_cumprod
        if self.prediction == "sample" and earlier[-1] == 1:
            raise UsageError(
                "the last step would begin at x_0, which a prediction_type of sample gives no "
                "noise for: set optimizer.shifted=false, or use optimizer=cno"
            )
        return replace(self, alphas_cumprod=earlier, next_alphas_cumprod=(*earlier[1:], 1.0))

    def clean(self, x: Tensor, output: Tensor, step: int) -> Tensor:
        """Tweedie's estimate of x_0 from x and the network's output, both (N, C, h, w)."""
        return self._estimates(x, output, self.alphas_cumprod[step])[0]

    def moved(self, output: Tensor, push: Tensor, step: int) -> Tensor:
        """The output whose clean estimate is `push` further than that of `output`."""
        slope = SLOPES[self.prediction](*self.levels[step])
        return (output + slope * push).to(output.dtype)

    def advance(self, x: Tensor, output: Tensor, step: int) -> Tensor:
        """x where step `step` ends, (N, C, h, w)."""
        estimates = self._estimates(x, output, self.alphas_cumprod[step])
        return _mixed(*estimates, self.next_alphas_cumprod[step])

    def invert(self, x: Tensor, output: Tensor, step: int) -> Tensor:
        """x where step `step` begins, from x where it ends and the output there, (N, C, h, w).
        Raises UsageError: the network predicts x_0, and x_0 is where the step ends.
        """
        alpha_bar = self.next_alphas_cumprod[step]
        if self.prediction == "sample" and alpha_bar == 1:
            raise UsageError(
                "inversion begins at x_0, which a prediction_type of sample gives no noise for: "
                "set set_alpha_to_one to false in scheduler_config.json"
            )
        return _mixed(*self._estimates(x, output, alpha_bar), self.alphas_cumprod[step])

    def diffuse(self, clean: Tensor, noise: Tensor, step: int) -> Tensor:
        """q(x_t | x_0) where step `step` begins, with the given noise, both (N, C, h, w)."""
        return _mixed(clean, noise, self.alphas_cumprod[step])

    def _estimates(self, x: Tensor, output: Tensor, alpha_bar: float) -> tuple[Tensor, Tensor]:
        estimates = PREDICTIONS[self.prediction]
        clean, noise = estimates(x, output, alpha_bar**0.5, (1 - alpha_bar) ** 0.5)
        if self.clip is not None:  # the noise estimate stays the unclipped one, as in diffusers
            clean = clean.clamp(-self.clip, self.clip)
        return clean, noise


def _mixed(clean: Tensor, noise: Tensor, alpha_bar: float) -> Tensor:
    return alpha_bar**0.5 * clean + (1 - alpha_bar) ** 0.5 * noise


@dataclass(frozen=True)
class FlowEuler:
    """Euler steps along a rectified flow. `sigmas` ends with a 0 that `timesteps` lacks."""

    timesteps: tuple[float, ...]
    sigmas: tuple[float, ...]

    scheduler: ClassVar[str] = "FlowMatchEulerDiscreteScheduler"

    @classmethod
    def from_scheduler(cls, scheduler: Any, num_steps: int) -> "FlowEuler":
        """Tables of a diffusers FlowMatchEulerDiscreteScheduler, its shift included.
        Raises UsageError: a number of steps, or a scheduler option, that is not supported.
        """
        for option in ("use_dynamic_shifting", "stochastic_sampling", "invert_sigmas"):
            if scheduler.config[option]:
                raise UsageError(
                    f"the scheduler's {option} is not supported: "
                    f"set {option} to false in scheduler_config.json"
                )
        most = scheduler.config.num_train_timesteps
        if not 1 <= num_steps <= most:
            raise UsageError(f"model.num_steps = {num_steps} must be from 1 to {most}")
        scheduler.set_timesteps(num_steps)
        return cls(tuple(scheduler.timesteps.tolist()), tuple(scheduler.sigmas.tolist()))

    @property
    def num_steps(self) -> int:
        return len(self.timesteps)

    @property
    def levels(self) -> tuple[tuple[float, float], ...]:
        """(alpha_t, sigma_t) where each step begins."""
        return tuple((1 - sigma, sigma) for sigma in self.sigmas[:-1])

    def shifted(self) -> "FlowEuler":
        """Raises UsageError: a flow has no table of alphas to shift."""
        raise UsageError(
            "optimizer.shifted = true shifts a table that only DDIM models have; "
            "set optimizer.shifted=false, or use optimizer=cno"
        )

    def clean(self, x: Tensor, output: Tensor, step: int) -> Tensor:
        """Tweedie's estimate of x_0 from x and the velocity, both (N, C, h, w)."""
        return at_least_float32(x) - self.sigmas[step] * output

    def moved(self, output: Tensor, push: Tensor, step: int) -> Tensor:
        """The output whose clean estimate is `push` further than that of `output`."""
        return (output - push / self.sigmas[step]).to(output.dtype)

    def advance(self, x: Tensor, output: Tensor, step: int) -> Tensor:
        """x where step `step` ends, (N, C, h, w), in the dtype of `output`."""
        return _moved(x, output, self.sigmas[step + 1] - self.sigmas[step])

    def invert(self, x: Tensor, output: Tensor, step: int) -> Tensor:
        """x where step `step` begins, from x where it ends and the output there, (N, C, h, w)."""
        return _moved(x, output, self.sigmas[step] - self.sigmas[step + 1])

    def diffuse(self, clean: Tensor, noise: Tensor, step: int) -> Tensor:
        """q(x_t | x_0) where step `step` begins, with the given noise, both (N, C, h, w)."""
        sigma = self.sigmas[step]
        return (1 - sigma) * clean + sigma * noise


def _moved(x: Tensor, velocity: Tensor, dt: float) -> Tensor:
    # diffusers, too, adds in float32: dt is small against x.
    return (at_least_float32(x) + dt * velocity).to(velocity.dtype)


Process = DDIM | FlowEuler


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision -> float32; float32 and float64 as they are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
