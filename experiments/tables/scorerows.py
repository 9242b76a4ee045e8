"""Score rows as a table takes them: checked one by one and against each other, then laid out.

A score row is one gallery under one metric. Rows of a table are compared in pairs by `job`, so a
job must mean the same prompt everywhere, and a column must be one measurement: one implementation,
one version of its convention, one set of weights. Where libraries, dtypes or devices differ, the
table says so.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from experiments.errors import UsageError

IDENTITY = ("implementation", "convention_version", "weights")  # none may occur twice in a column
PROVENANCE = (*IDENTITY, "library", "dtype", "device", "suite", "commit", "tree")
COLUMNS = ("row", "job", "prompt", "metric", "value", *PROVENANCE)


def select(scores: pd.DataFrame, *, rows: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """The lines of `rows` and `metrics`.

    Raises:
        UsageError: a column of COLUMNS is missing, a score is not finite, a job was scored twice
            or has two prompts.
    """
    absent = [name for name in COLUMNS if name not in scores]
    if absent:
        raise UsageError(f"the scores lack the columns {', '.join(absent)}; score again")
    scores = scores[scores["row"].isin(list(rows)) & scores["metric"].isin(list(metrics))]
    once = ["row", "job", "metric", *(["seed"] if "seed" in scores else [])]
    scores = scores.astype({"job": str, "value": float}).sort_values(["row", "metric", "job"])
    for line in scores[~np.isfinite(scores["value"])].itertuples():
        raise UsageError(
            f"{line.metric} of row {line.row!r}, job {line.job} is {line.value}; look at this "
            "gallery and score it again"
        )
    for line in scores[scores.duplicated(once)].itertuples():
        raise UsageError(
            f"row {line.row!r} has two scores of {line.metric} for job {line.job}; "
            "keep one score per row, job and metric"
        )
    prompts = scores.groupby("job")["prompt"].nunique(dropna=False)
    for job in prompts[prompts > 1].index:
        raise UsageError(
            f"job {job} has two prompts, so rows are no pairs; run all rows on the same prompts"
        )
    return scores


def pivot(
    scores: pd.DataFrame, metric: str, *, rows: Sequence[str], seeds: int | None = None
) -> pd.DataFrame:
    """Values of one metric, jobs (sorted) by rows: means over the seeds, NaN where one is lacking.

    seeds: how many there must be; None for as many as any row has.
    """
    lines = scores[(scores["metric"] == metric) & scores["row"].isin(list(rows))]
    values = lines.astype({"job": str}).groupby(["job", "row"])["value"]
    wide = values.mean().where(values.count() == (seeds or seeds_of(scores))).unstack()
    return wide.reindex(columns=list(rows)).astype(float).sort_index()


def seeds_of(scores: pd.DataFrame) -> int:
    """How many seeds a row has, at the most."""
    return scores.groupby("row")["seed"].nunique().max() if "seed" in scores else 1


def gaps(values: pd.DataFrame, *, jobs: int) -> list[tuple[str, int, int]]:
    """(row, jobs it has, jobs expected) of each row that lacks some.

    Expected is every job that any row has, and at least `jobs`.
    """
    expected = max(jobs, len(values))
    counts = values.notna().sum()
    return [(row, int(n), expected) for row, n in counts.items() if n < expected]


def provenance(scores: pd.DataFrame, metric: str) -> dict[str, tuple[str, ...]]:
    """What made a column: field of PROVENANCE -> every value that occurs, sorted.

    Of a device only the class counts (cuda:1 is cuda). Raises UsageError where a field of IDENTITY
    has two values.
    """
    lines = scores.loc[scores["metric"] == metric, list(PROVENANCE)].drop_duplicates()
    lines = lines.astype(object).where(lines.notna(), "").astype(str)
    lines["device"] = lines["device"].str.split(":").str[0]
    found = {field: tuple(sorted(set(lines[field]))) for field in PROVENANCE}
    for field in IDENTITY:
        if len(found[field]) > 1:
            raise UsageError(
                f"{metric} was scored with {len(found[field])} different {field} "
                f"({', '.join(found[field])}); score all rows again with one"
            )
    return found
