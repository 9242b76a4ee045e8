"""What a gallery cost: the median seconds of every stage, and network passes."""

from collections.abc import Mapping
from dataclasses import dataclass

from experiments.tables.results import Results
from experiments.tables.scorerows import pivot
from experiments.tables.typeset import DASH

STAGES = ("encode", "couple", "optimize", "denoise", "decode")


@dataclass(frozen=True)
class Stage:
    """Median seconds of a stage, and its share of the bar in per cent."""

    name: str
    seconds: str
    share: float


@dataclass(frozen=True)
class Cost:
    """A method's bar; the longest of a page fills it."""

    label: str
    stages: tuple[Stage, ...]
    total: str
    coupling: str
    passes: str


def costs(results: Results, made: Mapping[str, Mapping]) -> tuple[Cost, ...]:
    """A bar for each method whose galleries were timed as they were made."""
    timed = {
        row: made[row]["median_seconds_per_gallery"]
        for row in results.table.spec.rows
        if "median_seconds_per_gallery" in made.get(row, {})
    }
    longest = max((sum(seconds.values()) for seconds in timed.values()), default=0.0)
    passes = pivot(results.scores, "passes", rows=results.table.spec.rows).mean()
    return tuple(
        Cost(
            label=row,
            stages=tuple(
                Stage(name, f"{seconds[name]:.4g}", round(100 * seconds[name] / longest, 2))
                for name in sorted(seconds, key=_order)
            ),
            total=f"{sum(seconds.values()):.3g}",
            coupling=f"{100 * made[row]['coupling_share']:.2f} %",
            passes=f"{passes[row]:g}" if passes[row] == passes[row] else DASH,
        )
        for row, seconds in timed.items()
    )


def _order(stage: str) -> tuple[int, str]:
    """Stages as they follow each other; one that is not known comes last."""
    return (STAGES.index(stage) if stage in STAGES else len(STAGES), stage)
