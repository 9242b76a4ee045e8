"""Guidance in a limited interval: the prompt pulls in the middle of sampling alone.

Kynkaanniemi et al., NeurIPS 2024, arXiv:2404.07724: classifier-free guidance at high noise makes
images alike, and at low noise changes little, so the scale is w where sigma in (low, high], and 1
elsewhere, where the network sees the condition alone. A step outside the interval costs one network
row an image in place of two: the interval is cheaper than guidance throughout.

sigma is the noise level of a process that adds noise to x_0 as it is: sigma_t / alpha_t of ours. So
their (0.28, 5.42] of SDXL holds for every process: t / (1 - t) of a flow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from coupling.steering.base import Course, Steering, require_window
from coupling.validation import as_number, require_items, require_number


@dataclass(frozen=True)
class Guidance(Steering):
    """Guides by `scale` within an interval, and not at all outside.

    scale: None for the model's own; window: of the steps, [from, to) in fractions of their number;
    levels: of noise sigma/alpha, (low, high]; None for all. Both must hold.
    """

    scale: float | None
    window: Sequence[float]
    levels: Sequence[float] | None

    def __post_init__(self) -> None:
        require_window(self.window, "window")
        if self.scale is not None:
            require_number(self.scale, "scale")
        if self.levels is not None:
            low, high = ends = require_items(self.levels, "levels")
            if not 0 <= as_number(low, "levels") <= as_number(high, "levels"):
                raise ValueError(f"levels = {ends} is not (low, high] with 0 <= low <= high")

    def guidance(self, course: Course, step: int, scale: float) -> float:
        alpha, sigma = course.levels[step]
        low, high = self.levels or (-1.0, float("inf"))
        inside = low * alpha < sigma <= high * alpha if alpha else high == float("inf")
        if not (inside and course.within(step, self.window)):
            return 1.0
        return scale if self.scale is None else self.scale
