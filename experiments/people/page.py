"""A study: one HTML file that shows galleries of two rows side by side, and asks.

Which prompts, their order and the sides are drawn from a seed. Answers stay in the reader's browser
until they are downloaded, a line of JSON for each pair and question.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.errors import UsageError
from experiments.report.pictures import photo
from experiments.report.render import html
from experiments.tables.results import Results

QUESTIONS = {
    "diverse": "Which set is more varied?",
    "better": "Which set has the better pictures?",
    "fits": "Which set fits the text better?",
    "prefer": "Which set would you rather have?",
}


def study(
    results: Results, rows: Sequence[str], *, count: int, seed: int, pixels: int, name: str
) -> str:
    """The page of a study, as HTML; the same input gives the same text.

    Args:
        rows: the two rows that are compared.
        count: how many prompts are shown.
        name: of the study, so that answers of another are told apart.

    Raises:
        UsageError: no such rows, too few prompts, or their galleries are not here.
    """
    if len(set(rows)) != 2 or not set(rows) <= set(results.table.spec.rows):
        known = ", ".join(results.table.spec.rows)
        raise UsageError(f"--rows {' '.join(rows)} must be two different ones of {known}")
    if not 1 <= count <= len(results.jobs):
        raise UsageError(f"--count {count} must be from 1 to {len(results.jobs)}, the prompts here")
    rng = np.random.default_rng(seed)
    jobs = [results.jobs[number] for number in rng.permutation(len(results.jobs))[:count]]
    shown = {row: results.images(row, jobs) for row in rows}
    verdicts = _verdicts(results, rows)
    pairs: list[dict[str, Any]] = []
    for number, job in enumerate(jobs):
        sides = [rows[side] for side in rng.permutation(2)]
        pairs.append(
            {
                "job": job.id,
                "prompt": job.title,
                "left": sides[0],
                "right": sides[1],
                "verdicts": verdicts.get(job.id, {}),
                "pictures": [
                    [photo(image, "", pixels=pixels).uri for image in shown[row][number]]
                    for row in sides
                ],
            }
        )
    return html("study.html", home="", pairs=pairs, questions=QUESTIONS, name=name)


def _verdicts(results: Results, rows: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """By job and column: the row that the score calls better, or "tie"."""
    found: dict[str, dict[str, str]] = {}
    for metric, column in results.table.spec.columns.items():
        if column.better == "neutral":
            continue
        lines = results.scores[results.scores["metric"] == metric]
        values = lines.groupby(["job", "row"])["value"].mean().unstack().reindex(columns=list(rows))
        for job, a, b in values.dropna().itertuples():
            winner = "tie" if a == b else rows[(b > a) == (column.better == "higher")]
            found.setdefault(str(job), {})[column.label] = winner
    return found
