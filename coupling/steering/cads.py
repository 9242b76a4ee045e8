"""CADS: the condition is noised while the image is unformed, and clears as it forms.

Sadat et al., ICLR 2024, arXiv:2310.17347. With time t from 1 to 0, g = 1 for t <= t1, 0 for
t >= t2 and linear between, and fresh n ~ N(0, I) at each step, an embedding y becomes

    y'  = sqrt(g) y + s sqrt(1 - g) n
    y'' = (y' - mean(y')) / std(y') std(y) + mean(y)        over all of an image's embedding
    psi y'' + (1 - psi) y'

Where g = 1 it is y itself. The prompt's embeddings are noised, the pooled ones too; the empty
prompt's is not (implementations disagree on both).
"""

from dataclasses import dataclass

from torch import Tensor

from coupling.steering.base import EMBEDDINGS, Course, Rows, Steering
from coupling.validation import require_number


@dataclass(frozen=True)
class CADS(Steering):
    """Condition-annealed sampling.

    clear, dark: t1 <= t2 of the ramp, in time from 1 (the first step) to 0; noise: s; mixing: psi
    in [0, 1].
    """

    clear: float
    dark: float
    noise: float
    mixing: float

    def __post_init__(self) -> None:
        for name in ("clear", "dark", "noise", "mixing"):
            require_number(getattr(self, name), name)
        if self.clear > self.dark or self.mixing > 1:
            raise ValueError(
                f"clear = {self.clear}, dark = {self.dark}, mixing = {self.mixing}: "
                "valid is clear <= dark and mixing <= 1"
            )

    def clarity(self, time: float) -> float:
        """g at a time in (0, 1]."""
        if time <= self.clear:
            return 1.0
        return 0.0 if time >= self.dark else (self.dark - time) / (self.dark - self.clear)

    def condition(self, course: Course, step: int, rows: Rows) -> Rows:
        clarity = self.clarity(1 - step / len(course.levels))
        if clarity == 1:
            return rows
        noised = {
            name: self._noised(y, course.draw(y, f"cads {name} {step}"), clarity)
            for name, y in rows.items()
            if name in EMBEDDINGS
        }
        return {**rows, **noised}

    def _noised(self, y: Tensor, n: Tensor, clarity: float) -> Tensor:
        noised = clarity**0.5 * y.float() + self.noise * (1 - clarity) ** 0.5 * n
        (mean, std), (before, spread) = _moments(noised), _moments(y.float())
        # no noise and no embedding: a constant, which has no spread to be restored
        rescaled = (noised - mean) / std.clamp(min=1e-12) * spread + before
        return (self.mixing * rescaled + (1 - self.mixing) * noised).to(y.dtype)


def _moments(y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each image's embedding."""
    flat = y.flatten(2)
    shape = (*y.shape[:2], *[1] * (y.dim() - 2))
    return flat.mean(-1).view(shape), flat.std(-1).view(shape)
