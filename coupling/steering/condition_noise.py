"""Condition noise: what users of models that always make the same picture do to the embedding.

Uniform noise on [-s, s] on a random share of the embedding's entries, in the first steps; after
them the embedding is the prompt's own. Known as seed variance enhancers; there is no paper, and s
is tried out, near the embedding's own spread: here it is stated in units of that spread. Noise and
entries are drawn once for an image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from coupling.steering.base import EMBEDDINGS, Course, Rows, Steering, require_window
from coupling.validation import require_number


@dataclass(frozen=True)
class ConditionNoise(Steering):
    """Adds noise to the embeddings.

    amplitude: s, in standard deviations of an image's embedding; share: in [0, 1], of its entries;
    window: of the steps, [from, to) in fractions of their number.
    """

    amplitude: float
    share: float
    window: Sequence[float]

    def __post_init__(self) -> None:
        require_number(self.amplitude, "amplitude")
        require_number(self.share, "share")
        if self.share > 1:
            raise ValueError(f"share = {self.share} is not from 0 to 1")
        require_window(self.window, "window")

    def condition(self, course: Course, step: int, rows: Rows) -> Rows:
        if not course.within(step, self.window):
            return rows
        return course.keep(self, lambda: {**rows, **self._noised(course, rows)})

    def _noised(self, course: Course, rows: Rows) -> dict[str, Tensor]:
        found = {}
        for name in rows.keys() & set(EMBEDDINGS):
            y = rows[name].float()
            noise, entries = (
                torch.special.ndtr(course.draw(y, f"condition_noise {what} {name}"))
                for what in ("noise", "entries")
            )
            spread = y.flatten(2).std(-1).view(*y.shape[:2], *[1] * (y.dim() - 2))
            added = self.amplitude * spread * (2 * noise - 1) * (entries < self.share)
            found[name] = (y + added).to(rows[name].dtype)
        return found
