"""What a method fixes by construction is printed, and takes no part in any test."""

import numpy as np
import pandas as pd

from experiments.tables import table as tables
from experiments.tables.scorerows import PROVENANCE
from experiments.tables.spec import TableSpec
from experiments.tables.typeset import markdown

L2 = {"label": "L2", "better": "higher", "digits": 3}
PASSES = {"label": "passes", "better": "neutral", "digits": 0, "certain": True}


def build(**columns) -> tables.Table:
    """Twenty prompts, of which one row takes 75 passes, the other 84."""
    rng, made = np.random.default_rng(0), dict.fromkeys(PROVENANCE, "-")
    lines = [
        {"row": row, "job": f"{j}", "prompt": f"{j}", "metric": metric, "value": value, **made}
        for j, base in enumerate(rng.normal(1, 0.1, 20))
        for row, passes in (("iid", 75.0), ("cno", 84.0))
        for metric, value in (("l2", base + rng.normal(0.05, 0.1)), ("passes", passes))
    ]
    spec = TableSpec(
        name="own", title="Own", rows=["iid", "cno"], columns=columns,
        baselines={"cno": "iid"}, paper=None, jobs=20,
    )  # fmt: skip
    return tables.build(spec, pd.DataFrame(lines), paper_model="tiny")


def test_what_is_certain_is_printed_and_not_tested():
    """No p, no difference, no star, no place in Holm's family; the others are as without it."""
    table, alone = build(l2=L2, passes=PASSES), build(l2=L2)
    assert [table.cell(row, "passes").mean for row in ("iid", "cno")] == [75, 84]
    assert table.cell("cno", "passes").comparisons == ()
    assert table.cell("cno", "l2") == alone.cell("cno", "l2")
    text = markdown(table)
    assert "| 84 (0) |" in text and "cno – iid | passes" not in text
    assert "1 t-tests as one family" in text and "so not tested: passes." in text
    assert "not tested" not in markdown(alone)


def test_equal_values_are_tested_unless_they_are_declared_certain():
    table = build(l2=L2, passes=PASSES | {"certain": False})
    assert table.cell("cno", "passes").comparison.t_p_holm < 0.001
