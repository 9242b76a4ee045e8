"""Tables of synthetic scores: a known effect is found, incomplete or mixed evidence is refused."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from experiments.errors import UsageError
from experiments.report.publish import write_table
from experiments.tables import table as tables
from experiments.tables.spec import TableSpec
from experiments.tables.statistics import holm, paired

JOBS = 30
COLUMNS = {
    "l2": {"label": "L2", "better": "higher", "digits": 3},
    "mss": {"label": "MSS", "better": "lower", "digits": 3},
    "clip": {"label": "CLIP", "better": "higher", "digits": 3},
}
EFFECTS = {"l2": 0.03, "mss": -0.05, "clip": 0.0}


def make_spec(**changes) -> TableSpec:
    plain = {
        "name": "table1",
        "title": "Diverse galleries",
        "rows": ["iid", "coupled"],
        "columns": COLUMNS,
        "baselines": {"coupled": "iid"},
        "paper": "table1",
        "jobs": JOBS,
    }
    return TableSpec(**plain | changes)


@pytest.fixture
def scores() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    lines = []
    for metric, effect in EFFECTS.items():
        iid = rng.normal(0.5, 0.1, JOBS)
        coupled = iid + effect + rng.normal(0, 0.02, JOBS)
        for row, values in {"iid": iid, "coupled": coupled}.items():
            lines += [
                {
                    "row": row,
                    "job": f"{j:02d}",
                    "prompt": f"prompt {j}",
                    "metric": metric,
                    "value": value,
                    "implementation": f"metrics.{metric}",
                    "convention_version": "1",
                    "weights": None if metric == "l2" else "clip@1",
                    "library": "torch 2",
                    "dtype": "float32",
                    "device": "cpu",
                    "suite": "0.1.0",
                    "commit": None,
                    "tree": None,
                }
                for j, value in enumerate(values)
            ]
    return pd.DataFrame(lines)


def without(scores, row, metric, jobs):
    hit = (scores["row"] == row) & (scores["metric"] == metric) & scores["job"].isin(jobs)
    return scores[~hit]


def written(table, folder) -> dict[str, str]:
    paths = write_table(table, folder, "t", made_by={"seed": 7})
    return {path.suffix[1:]: path.read_text(encoding="utf-8") for path in paths}


def test_a_known_effect_is_found_and_a_missing_one_is_not(scores):
    table = tables.build(make_spec(), scores, paper_model="tiny")
    for metric, effect in EFFECTS.items():
        comparison = table.cell("coupled", metric).comparison
        assert comparison.test.ci_low < effect < comparison.test.ci_high
        assert (comparison.t_p_holm < 0.001) == (comparison.wilcoxon_p_holm < 0.001) == bool(effect)


def test_cells_are_the_plain_statistics_of_the_scores(scores):
    table = tables.build(make_spec(), scores, paper_model="tiny")
    values = {
        (row, metric): group.sort_values("job")["value"].tolist()
        for (row, metric), group in scores.groupby(["row", "metric"])
    }
    tests = [paired(values["coupled", m], values["iid", m]) for m in COLUMNS]
    t_holm = holm([test.t_p for test in tests])
    wilcoxon_holm = holm([test.wilcoxon_p for test in tests])
    for i, metric in enumerate(COLUMNS):
        cell, base = table.cell("coupled", metric), np.mean(values["iid", metric])
        sample = values["coupled", metric]
        assert cell.n == JOBS
        assert cell.mean == pytest.approx(sum(sample) / JOBS)
        squares = sum((x - cell.mean) ** 2 for x in sample)
        assert cell.std == pytest.approx((squares / (JOBS - 1)) ** 0.5)
        assert cell.comparison.test == tests[i]
        assert cell.comparison.t_p_holm == t_holm[i]
        assert cell.comparison.wilcoxon_p_holm == wilcoxon_holm[i]
        assert cell.comparison.percent == pytest.approx(100 * (cell.mean / base - 1))
        assert table.cell("iid", metric).comparison is None


def test_all_four_files_say_the_same(scores, tmp_path):
    table = tables.build(make_spec(), scores, paper_model="sdxl")
    texts = written(table, tmp_path)
    frame = pd.read_csv(tmp_path / "t.csv")
    document = json.loads(texts["json"])
    assert document["made_by"] == {"seed": 7}
    stored = {(c["row"], c["metric"]): c for c in document["cells"]}
    for cell in table.cells:
        line = frame[(frame["row"] == cell.row) & (frame["metric"] == cell.metric)].iloc[0]
        assert line["mean"] == cell.mean == stored[cell.row, cell.metric]["mean"]
        assert f"{cell.mean:.3f} ({cell.std:.3f})" in texts["md"]
        assert re.search(rf"{cell.mean:.3f}(\{{\$.*?\$\}})? & {cell.std:.3f}", texts["tex"])
        if comparison := cell.comparison:
            assert line["t_p"] == stored[cell.row, cell.metric]["comparisons"][0]["test"]["t_p"]
            assert line["ci_low"] == comparison.test.ci_low
            assert f"{comparison.percent:+z.1f} %" in texts["md"]
    l2 = next(line for line in texts["md"].splitlines() if line.startswith("| coupled |"))
    assert l2.count(r"\*\*\*") == texts["tex"].count("{$^{***}$}") == 2


def test_a_row_may_be_tested_against_several(scores, tmp_path):
    third = scores[scores["row"] == "iid"].assign(row="identical", value=lambda x: x["value"] - 1)
    spec = make_spec(
        rows=["iid", "identical", "coupled"], baselines={"coupled": ["iid", "identical"]}
    )
    table = tables.build(spec, pd.concat([scores, third]), paper_model="tiny")
    first, second = table.cell("coupled", "l2").comparisons
    assert table.cell("coupled", "l2").comparison == first
    assert (first.baseline, second.baseline) == ("iid", "identical")
    assert second.test.difference == pytest.approx(first.test.difference + 1)
    frame = table.frame()
    assert (frame["row"] == "coupled").sum() == 2 * len(COLUMNS)
    assert "| coupled – identical | L2 ↑ |" in written(table, tmp_path)["md"]


def test_the_order_of_the_scores_changes_no_byte(scores, tmp_path):
    shuffled = scores.sample(frac=1, random_state=1)
    first = written(tables.build(make_spec(), scores, paper_model="tiny"), tmp_path / "a")
    second = written(tables.build(make_spec(), shuffled, paper_model="tiny"), tmp_path / "b")
    assert first == second


def test_the_papers_numbers_stand_beside_ours(scores, tmp_path):
    texts = written(tables.build(make_spec(), scores, paper_model="sdxl"), tmp_path)
    assert (
        "| *coupled, paper* | *0.105 (0.030)* | *0.198 (0.080)* | *0.669* | 2000 |" in texts["md"]
    )
    assert "coupled (paper) & 0.105 & 0.030 & 0.198 & 0.080 & 0.669 & {--}" in texts["tex"]


def test_a_model_the_paper_lacks_is_compared_by_effect_alone(scores, tmp_path):
    table = tables.build(make_spec(), scores, paper_model="tiny")
    assert all(cell.paper is None for cell in table.cells)
    effects = table.cell("coupled", "l2").comparison.paper_percent
    assert effects["sd15"] == pytest.approx(100 * 0.030 / 0.126)
    text = written(table, tmp_path)["md"]
    ours = 1 + table.cell("coupled", "l2").comparison.percent / 100
    assert f"| coupled / iid | L2 ↑ | ×{ours:.3f} | ×1.238 | ×1.207 | ×1.176 |" in text
    assert "no numbers for this model" in text
    assert ", paper*" not in text


def test_a_table_of_our_own_mentions_no_paper(scores, tmp_path):
    table = tables.build(make_spec(paper=None), scores, paper_model="tiny")
    assert "paper" not in written(table, tmp_path)["md"].lower()


def test_what_a_reader_must_know_stands_in_every_form(scores, tmp_path):
    notes = ["Masks of the objects: mask_rcnn, torchvision 1.", "Left out: a: its mask is empty."]
    table = tables.build(make_spec(notes=notes, unit="picture"), scores, paper_model="tiny")
    texts = written(table, tmp_path)
    assert "mask\\_rcnn, torchvision 1.\n\nLeft out: a: its mask is empty.\n" in texts["md"]
    assert r"Masks of the objects: mask\_rcnn, torchvision 1. Left out: a" in texts["tex"]
    assert "over pictures); n pictures" in texts["md"] and "picture by picture" in texts["md"]
    assert json.loads(texts["json"])["spec"]["notes"] == notes


def test_a_partial_cell_is_refused_by_row_and_count(scores):
    lacking = without(scores, "coupled", "mss", ["03", "04"])
    with pytest.raises(UsageError, match="'coupled' has 28 of 30 galleries for mss"):
        tables.build(make_spec(), lacking, paper_model="tiny")
    with pytest.raises(UsageError, match=r"'iid' has 30 of 31 .* 5 more cells"):
        tables.build(make_spec(jobs=JOBS + 1), scores, paper_model="tiny")
    with pytest.raises(UsageError, match="'other' has 0 of 30"):
        tables.build(make_spec(rows=["iid", "coupled", "other"]), scores, paper_model="tiny")


def test_rows_of_different_jobs_are_partial_however_many_they_are(scores):
    moved = scores.copy()
    coupled = moved["row"] == "coupled"
    moved.loc[coupled, ["job", "prompt"]] = moved.loc[coupled, ["job", "prompt"]] + "b"
    with pytest.raises(UsageError, match="'iid' has 30 of 60"):
        tables.build(make_spec(), moved, paper_model="tiny")


def test_a_job_that_one_row_lacks_is_left_out_of_all(scores, tmp_path):
    """As the paper leaves out pictures that failed."""
    lacking = without(scores, "coupled", "mss", ["03", "04"])
    lacking = without(lacking, "iid", "mss", ["05"])
    table = tables.build(make_spec(), lacking, paper_model="tiny", allow_partial=True)
    assert {cell.n for cell in table.cells} == {27}
    assert {test.test.n for cell in table.cells for test in cell.comparisons} == {27}
    kept = scores[~scores["job"].isin(["03", "04", "05"])]
    for cell in tables.build(make_spec(jobs=27), kept, paper_model="tiny").cells:
        assert cell == table.cell(cell.row, cell.metric)
    texts = written(table, tmp_path)
    assert "row 'coupled' has 28 of 30 galleries for mss" in texts["md"]
    assert "left out of all" in texts["md"] and " 27 |" in texts["md"]
    assert "Partial" in texts["tex"]


def test_cells_without_any_pair_are_dashes(scores, tmp_path):
    alone = scores[(scores["row"] == "iid") | (scores["job"] == "00")]
    table = tables.build(make_spec(), alone, paper_model="tiny", allow_partial=True)
    assert table.cell("coupled", "l2").comparison is None
    assert table.cell("coupled", "l2").std is None
    empty = scores[scores["row"] == "iid"]
    text = written(
        tables.build(make_spec(), empty, paper_model="tiny", allow_partial=True), tmp_path
    )
    assert "| coupled | – | – | – | 0 |" in text["md"]
    assert "coupled & {--} & {--}" in text["tex"]


@pytest.mark.parametrize("field", ["implementation", "convention_version", "weights"])
def test_a_column_made_in_two_ways_is_refused(scores, field):
    scores.loc[(scores["row"] == "coupled") & (scores["metric"] == "mss"), field] = "another"
    refusal = f"mss was scored with 2 different {field} .*score all rows again with one"
    with pytest.raises(UsageError, match=refusal):
        tables.build(make_spec(), scores, paper_model="tiny")


def test_a_mix_of_devices_is_noted_and_a_device_number_is_none(scores, tmp_path):
    coupled = scores["row"] == "coupled"
    scores.loc[coupled & (scores["metric"] == "mss"), "device"] = "cuda:0"
    scores.loc[scores["metric"] == "clip", "device"] = "cuda:0"
    scores.loc[coupled & (scores["metric"] == "clip"), "device"] = "cuda:1"
    text = written(tables.build(make_spec(), scores, paper_model="tiny"), tmp_path)["md"]
    assert "MSS ↓ mixes device: cpu, cuda." in text
    assert "CLIP ↑ mixes" not in text


def test_scores_that_are_no_evidence_are_refused(scores):
    spec = make_spec()
    with pytest.raises(UsageError, match="two scores of clip for job 29"):
        tables.build(spec, pd.concat([scores, scores.tail(1)]), paper_model="tiny")
    with pytest.raises(UsageError, match="l2 of row 'iid', job 00 is nan"):
        tables.build(spec, scores.replace({"value": scores["value"][0]}, np.nan), paper_model="x")
    with pytest.raises(UsageError, match="lack the columns dtype, device"):
        tables.build(spec, scores.drop(columns=["dtype", "device"]), paper_model="tiny")
    scores.loc[(scores["row"] == "coupled") & (scores["job"] == "11"), "prompt"] = "other words"
    with pytest.raises(UsageError, match="job 11 has two prompts"):
        tables.build(spec, scores, paper_model="tiny")


def test_a_method_against_itself_is_no_effect(scores, tmp_path):
    iid = scores[scores["row"] == "iid"]
    twice = pd.concat([iid, iid.assign(row="coupled")])
    table = tables.build(make_spec(), twice, paper_model="tiny")
    assert {cell.comparison.t_p_holm for cell in table.cells if cell.comparison} == {1.0}
    assert not re.search(r"\bnan\b", "".join(written(table, tmp_path).values()).lower())


def test_labels_of_any_table_survive_typesetting(scores, tmp_path):
    names = {"iid": "rho=0", "coupled": "50% a_b & *c* | d"}
    spec = make_spec(
        rows=list(names.values()), baselines={names["coupled"]: "rho=0"}, title="A & B_1"
    )
    renamed = scores.assign(row=scores["row"].map(names))
    texts = written(tables.build(spec, renamed, paper_model="my_model"), tmp_path)
    assert r"50\% a\_b \& *c* | d & 0." in texts["tex"]
    assert r"\caption{A \& B\_1. Model my\_model" in texts["tex"]
    rows = [line for line in texts["md"].splitlines() if line.startswith(r"| 50% a\_b & \*c\*")]
    assert all(len(re.split(r"(?<!\\)\|", row)) == 7 for row in rows[:1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"baselines": {"coupled": "independent"}}, "'independent'"),
        ({"columns": {"l2": {"label": "L2", "better": "up", "digits": 3}}}, "'up'"),
        ({"paper": "table12"}, "table12"),
        ({"rows": ["iid", "iid", "coupled"]}, "each row once"),
    ],
)
def test_a_spec_that_does_not_fit_together_is_refused(change, message):
    with pytest.raises(UsageError, match=message):
        make_spec(**change)
