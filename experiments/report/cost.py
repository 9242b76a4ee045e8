"""What a gallery cost: the median seconds of every stage."""

from collections.abc import Mapping, Sequence

STAGES = ("encode", "couple", "optimize", "denoise", "decode")


def stage_seconds(rows: Sequence[str], made: Mapping[str, Mapping]) -> dict[str, dict[str, float]]:
    """Row -> stage -> median seconds, of the rows whose galleries were timed as they were made.

    Stages stand as they follow each other; one that is not known comes last.
    """
    return {
        row: dict(sorted(made[row]["median_seconds_per_gallery"].items(), key=_order))
        for row in rows
        if "median_seconds_per_gallery" in made.get(row, {})
    }


def _order(timed: tuple[str, float]) -> tuple[int, str]:
    stage, _ = timed
    return (STAGES.index(stage) if stage in STAGES else len(STAGES), stage)
