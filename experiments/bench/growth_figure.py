"""How cost grows, a panel for each question, on logarithmic axes with a line of slope one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.bench.scaling import Point
from experiments.figures.style import canvas, save, style

PANELS = {
    "images of a gallery": ("K, model", "K, stub"),
    "prompts": ("prompts, stub",),
    "sampler steps": ("steps, model",),
    "lanes": ("lanes, model",),
    "galleries in a store": ("resume scan", "verify", "table", "append"),
}
"""What is counted -> the curves that count it."""


def growth(points: Sequence[Point], path: Path) -> tuple[Path, Path]:
    """Seconds of every curve; memory at the peak as a dotted line on an axis of its own."""
    with style():
        figure = canvas(7.5, 5, layout="constrained")
        axes = figure.subplots(2, 3).flat
        for axis, (counted, curves) in zip(axes, PANELS.items(), strict=False):
            memory = axis.twinx()
            for i, curve in enumerate(curves):
                own = sorted((p for p in points if p.curve == curve), key=lambda p: p.x)
                if not own:
                    continue
                x, seconds = np.array([(p.x, p.seconds) for p in own]).T
                name = curve.partition(", ")[2] or curve
                axis.loglog(x, seconds, "o-", color=f"C{i}", markersize=3, label=name)
                memory.semilogx(x, [p.memory for p in own], ":", color=f"C{i}", linewidth=0.8)
                if i == 0:
                    axis.loglog(x, seconds[-1] * x / x[-1], "--", color="0.6", linewidth=0.7)
            axis.set_xlabel(counted)
            axis.set_ylabel("seconds")
            memory.set_ylabel("MiB at the peak (dotted)")
            memory.set_ylim(bottom=0)
            if axis.has_data():
                axis.legend(fontsize="x-small")
        for axis in list(axes):
            axis.set_axis_off()
        return save(figure, path)
