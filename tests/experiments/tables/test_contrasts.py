"""Interactions and dominated rows of made-up scores, and that they go with the scores."""

import numpy as np
import pandas as pd
import pytest

from experiments.errors import UsageError
from experiments.report.committed import published
from experiments.report.publish import write_table
from experiments.tables import table as tables
from experiments.tables.statistics import paired

JOBS = 40
MEANS = {  # of L2, CLIPScore and network rows
    "iid": (0.4, 1.0, 150), "iid, method": (0.5, 1.0, 150),
    "coupled": (0.6, 1.0, 150), "coupled, method": (0.8, 1.05, 150), "dear": (0.7, 1.02, 160),
}  # fmt: skip
COLUMNS = {
    "l2": {"label": "L2", "better": "higher", "digits": 3},
    "clip": {"label": "CLIPScore", "better": "higher", "digits": 3},
    "rows": {"label": "network rows", "better": "neutral", "digits": 0},
}
FOUR = ("coupled, method", "coupled", "iid, method", "iid")


def made(**changes: tuple[float, float, float]):
    """A table whose rows have these means, `changes` by their label."""
    rng, lines = np.random.default_rng(0), []
    base = rng.normal(0, 0.1, JOBS)
    for row, means in {**MEANS, **changes}.items():
        for metric, mean in zip(COLUMNS, means, strict=True):
            noise = (base + rng.normal(0, 0.01, JOBS)) * (metric != "rows")
            lines += [
                {"row": row, "job": f"{j:02d}", "prompt": f"p{j}", "metric": metric, "value": value,
                 "implementation": metric, "convention_version": "1", "weights": None,
                 "library": "", "dtype": "", "device": "", "suite": "", "commit": None,
                 "tree": None}
                for j, value in enumerate(mean + noise)
            ]  # fmt: skip
    spec = tables.TableSpec(
        name="rivals", title="Rivals", rows=list(MEANS), columns=COLUMNS,
        baselines={"coupled": "iid"}, paper=None, jobs=JOBS, interactions={"method": FOUR},
        front=["rows", "l2", "clip"],
    )  # fmt: skip
    scores = pd.DataFrame(lines)
    return tables.build(spec, scores, paper_model="tiny"), scores


def test_an_interaction_is_the_paired_test_of_a_difference_of_differences():
    table, scores = made()
    by_row = scores[scores["metric"] == "l2"].pivot(index="job", columns="row", values="value")
    a, b, c, d = (by_row[row].to_numpy() for row in FOUR)
    (l2, clip) = table.interactions  # of what is better somewhere, so of no cost
    assert (l2.name, l2.metric, clip.metric) == ("method", "l2", "clip")
    assert l2.test == paired(a - b, c - d)
    assert l2.test.ci_low < 0.1 < l2.test.ci_high and l2.t_p_holm < 1e-9
    none, _ = made(**{"iid, method": (0.6, 1.05, 150)})
    assert none.interactions[0].t_p_holm > 0.05


def test_a_dominated_row_is_named_while_another_is_better_and_costs_no_more():
    table, _ = made()
    beaten = {one.row: one for one in table.dominated}
    assert beaten["iid"].by == beaten["dear"].by == "coupled, method"
    assert beaten["iid"].p < 1e-6 and "coupled, method" not in beaten
    dearer, _ = made(**{"coupled, method": (0.8, 1.05, 170)})
    assert "dear" not in {one.row for one in dearer.dominated}
    assert not [one for one in dearer.dominated if one.p < 0.05]
    worse, _ = made(**{"coupled, method": (0.8, 0.9, 150)})
    assert not [one for one in worse.dominated if one.p < 0.05]


def test_both_are_told_and_read_back(tmp_path):
    table, scores = made()
    for path in write_table(table, tmp_path / "rivals", "tiny", made_by={}):
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
    wide = scores.pivot(index=["prompt", "job", "row"], columns="metric", values="value")
    wide.to_csv(tmp_path / "rivals" / "tiny-scores.csv")
    assert "method: (coupled, method – coupled) – (iid, method – iid)" in text
    difference = table.interactions[0].test.difference
    assert f"| method | L2 ↑ | {difference:+.4f} [" in text and "| adds more |" in text
    assert "dear by coupled, method (p = " in text
    (read,) = published(tmp_path)
    assert (read.table.interactions, read.table.dominated) == (table.interactions, table.dominated)


def test_an_interaction_must_name_four_rows_of_the_table():
    with pytest.raises(UsageError, match=r"interaction method = .* must name four rows"):
        tables.TableSpec("t", "t", ["a", "b"], COLUMNS, {}, None, 1, interactions={"method": "ab"})
