"""How cost grows, a panel for each question, on logarithmic axes; dashed: in proportion."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import LogLocator

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
        axes = list(figure.subplots(2, 3).flat)
        for axis, (counted, curves) in zip(axes, PANELS.items(), strict=False):
            memory = axis.twinx()
            there = [curve for curve in curves if any(p.curve == curve for p in points)]
            for i, curve in enumerate(there):
                own = sorted((p for p in points if p.curve == curve), key=lambda p: p.x)
                x, seconds, peaks = np.array([(p.x, p.seconds, p.memory) for p in own]).T
                name = curve.partition(", ")[2] or curve
                axis.loglog(x, seconds, "o-", color=f"C{i}", markersize=3, label=name)
                memory.semilogx(x, peaks, ":", color=f"C{i}", linewidth=0.8)
                if i == 0:
                    ideal = x[0] / x * seconds[0] if counted == "lanes" else x / x[-1] * seconds[-1]
                    axis.loglog(x, ideal, "--", color="0.6", linewidth=0.7)
                    counts = x
            if axis.has_data():
                axis.legend(fontsize="x-small")
                axis.set_xticks(counts, [f"{count:,.0f}" for count in counts])
                axis.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
                axis.yaxis.set_major_formatter("{x:g}")
                axis.minorticks_off()
            axis.set_xlabel(counted)
            axis.set_ylabel("seconds")
            memory.set_ylabel("MiB at the peak (dotted)")
            memory.set_ylim(bottom=0)
        for axis in axes[len(PANELS) :]:
            axis.set_axis_off()
        return save(figure, path)
