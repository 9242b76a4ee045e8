"""The paper's numbers are all there, and what its text says about them is true of them."""

import pandas as pd
import pytest
from markupsafe import escape

from experiments.compose import compose
from experiments.errors import UsageError
from experiments.report.page import page
from experiments.tables import paper, typeset
from experiments.tables import table as tables
from experiments.tables.results import Results
from experiments.tables.scorerows import PROVENANCE
from experiments.tables.spec import TableSpec

SHAPES = {  # models, rows and columns of each table
    "table1": (3, 4, 5),
    "table2": (1, 5, 5),
    "table3": (3, 1, 5),
    "table4": (3, 4, 1),
    "table5": (1, 8, 3),
    "table6": (1, 5, 3),
    "table7": (3, 3, 3),
    "table8": (1, 5, 5),
    "table9": (1, 4, 5),
}


def test_all_nine_tables_are_there_in_order():
    assert paper.tables() == tuple(SHAPES)
    assert [paper.table(key).number for key in SHAPES] == list(range(1, 10))


@pytest.mark.parametrize("key", SHAPES)
def test_a_table_is_whole(key):
    table = paper.table(key)
    models, rows, columns = SHAPES[key]
    assert len(table.values) == models
    assert len(table.better) == columns
    assert set(table.better.values()) <= {"higher", "lower", "neutral"}
    dashes = {("DDIM inversion", "lpips_b"), ("DDIM inversion", "l2_b")} if key == "table9" else ()
    for model, values in table.values.items():
        assert paper.label(model) != model
        assert len(values) == rows
        for row, cells in values.items():
            assert set(cells) == {m for m in table.better if (row, m) not in dashes}
            assert all(mean >= 0 and (std is None or std >= 0) for mean, std in cells.values())


def test_coupling_improves_every_diversity_metric_of_table_1():
    for rows in paper.table("table1").values.values():
        for optimised in ("", "+cno"):
            coupled, iid = rows[f"coupled{optimised}"], rows[f"iid{optimised}"]
            assert coupled["l2"] > iid["l2"]
            assert coupled["mss"] < iid["mss"]
            assert coupled["vendi"] > iid["vendi"]


def test_the_tables_agree_where_they_overlap():
    ours, first = paper.values("table2", "sd15")["coupled"], paper.values("table8", "sd15")
    assert ours["brisque"] == first["steps=10"]["brisque"]
    for metric, digits in {"lpips_b": 2, "rmse_f": 2, "boundary_tv": 3}.items():
        assert round(first["steps=10"][metric][0], digits) == ours[metric][0]
    cost = paper.table("table4").values
    assert all(rows["iid"] == rows["coupled"] for rows in cost.values())
    sizes, strengths = paper.values("table5", "sd15"), paper.values("table6", "sd15")
    assert sizes["K=3 iid"]["l2"][0] == pytest.approx(strengths["rho=0"]["l2"][0], rel=0.02)
    assert sizes["K=3 coupled"]["l2"][0] == pytest.approx(strengths["rho=-0.5"]["l2"][0], rel=0.02)


@pytest.mark.parametrize("key", [key for key in SHAPES if key != "table3"])
def test_what_the_paper_does_not_state_is_printed_with_its_table(key):
    """In Markdown and on the page, for a stand-in, too; Table 3 is settings, all stated."""
    rows, made = ["one", "other"], dict.fromkeys((*PROVENANCE, "prompt"), "-")
    scores = pd.DataFrame(
        {"row": row, "job": job, "metric": "l2", "value": i + j, **made}
        for i, row in enumerate(rows)
        for j, job in enumerate("ab")
    )
    columns = {"l2": {"label": "L2", "better": "higher", "digits": 3}}
    spec = TableSpec(key, key, rows, columns, {"other": "one"}, key, 2)
    table = tables.build(spec, scores, paper_model="tiny")
    made_by = {"cells": {}, "configs": {row: {"seed": 0, "table": None} for row in rows}}
    shown = page(Results(table, scores), made_by=made_by, pictures={}, galleries=0, pixels=64)
    assert len(set(paper.table(key).inferred)) == len(paper.table(key).inferred) > 0
    for line in paper.table(key).inferred:
        assert f"- {line}\n".replace("_", r"\_") in typeset.markdown(table)
        assert f"<li>{escape(line)}</li>" in shown


@pytest.mark.parametrize("key", ["table2", "table8", "table9"])
def test_the_numbers_that_the_text_lost_are_those_that_the_settings_have(key):
    inferred = " ".join(paper.table(key).inferred)
    settings = compose([f"experiment={key}", "model=sd15"])
    assert f"K = {settings.task.gallery_size}" in inferred
    assert f"{settings.objects.learning_rate}" in inferred
    assert settings.metrics.features.lpips.net == "alex" and "AlexNet" in inferred


def test_a_model_or_table_the_paper_lacks():
    assert paper.values("table1", "tiny") == {}
    assert paper.label("tiny") == "tiny"
    with pytest.raises(UsageError, match=r"table10.*table1"):
        paper.table("table10")
