"""SPELL: clean estimates that are closer than a radius push one another out of it.

Kirchhof et al., ICML 2025, arXiv:2410.06025. With x_i the clean estimates of a gallery at a step,

    x_i <- x_i + lambda sum_{j != i} max(0, r / |x_i - x_j| - 1) (x_i - x_j)

so two images at d < r come to lie at d + 2 lambda (r - d), and images further apart than r do not
move. It takes no network row and no gradient. Here in a window of the steps: what happens later
costs an image its quality and changes its place no more.

Static, or protected, images y_n are others that do not move: the sum is over them, too, and an
estimate at d < r from one alone comes to lie at d + lambda (r - d): for lambda >= 1 beyond r.

The radius is a number, in units of the latents' norm, or a quantile of the gallery's own distances
at the window's first step, times a factor. The paper tunes a number for each model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from coupling.optimizers.reward import of_pairs
from coupling.steering.base import Course, Steering, require_window
from coupling.validation import require_number


@dataclass(frozen=True)
class Spell(Steering):
    """Pushes a gallery's clean estimates apart.

    radius: r, or None for `factor` times the `quantile` in [0, 1] of the first distances; strength:
    lambda (the paper: 1.6); window: of the steps, [from, to) in fractions of their number; against:
    clean latents (N, C, h, w) of images that are given, by the model's own encoder.
    """

    radius: float | None
    quantile: float
    factor: float
    strength: float
    window: Sequence[float]
    against: Tensor | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name in ("radius", "quantile", "factor", "strength"):
            if getattr(self, name) is not None:
                require_number(getattr(self, name), name)
        if self.quantile > 1:
            raise ValueError(f"quantile = {self.quantile} is not from 0 to 1")
        require_window(self.window, "window")

    @property
    def whole_gallery(self) -> bool:
        return True

    def push(self, course: Course, step: int, x: Tensor, clean: Tensor) -> Tensor | None:
        if not course.within(step, self.window):
            return None
        flat = clean.float().flatten(2)
        others, size = flat, flat.shape[1]
        if self.against is not None:
            if self.against.shape[1:] != clean.shape[2:]:
                shapes = f"{tuple(self.against.shape)}; valid is (N, *{tuple(clean.shape[2:])})"
                raise ValueError(f"against has the shape {shapes}")
            given = self.against.to(flat).flatten(1)
            others = torch.cat([flat, given.expand(len(flat), -1, -1)], dim=1)
        distances = torch.cdist(flat, others, compute_mode="donot_use_mm_for_euclid_dist")
        radius = course.keep(self, lambda: self._radius(distances[..., :size]))
        weights = (radius / distances - 1).clamp(min=0)
        weights = weights.masked_fill(distances == 0, 0)  # itself; equal images have no direction
        pushed = weights.sum(-1, keepdim=True) * flat - weights @ others
        return self.strength * pushed.view_as(clean)

    def _radius(self, distances: Tensor) -> Tensor:
        """Of each gallery, (G, 1, 1)."""
        if self.radius is not None:
            return distances.new_full((len(distances), 1, 1), self.radius)
        found = torch.quantile(of_pairs(distances), self.quantile, dim=-1)
        return self.factor * found[:, None, None]
