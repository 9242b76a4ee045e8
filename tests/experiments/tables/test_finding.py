"""What a table says in words is what its tests say, and changes with the scores."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.tables import table as tables
from experiments.tables.finding import findings, glossary
from experiments.tables.scorerows import PROVENANCE
from experiments.tables.spec import TableSpec
from experiments.tables.statistics import equivalence, holm, paired
from experiments.tables.table import Cell
from experiments.tables.wording import best_mean

N = 40
CONFIGS = {
    "iid": {"coupling": {"_target_": "coupling.iid"}, "table": {"name": "a"}},
    "cno": {"coupling": {"_target_": "coupling.iid"}, "optimizer": {"_target_": "own.Thing"}},
    "own": {"coupling": {"_target_": "coupling.repulsive"}, "table": {"name": "b"}},
}


def table(l2: float, clip: float, *, noise: float = 0.05, rows=("iid", "own")) -> tables.Table:
    """Rows over N prompts; each differs from the first by l2 in L2, and by clip in CLIPScore."""
    rng = np.random.default_rng(0)
    made = dict.fromkeys(PROVENANCE, "-")
    lines = [
        {"row": row, "job": f"{j}", "prompt": f"{j}", "metric": metric, "value": value, **made}
        for metric, effect in (("l2", l2), ("clip", clip))
        for base in [rng.normal(1, 0.1, N)]
        for k, row in enumerate(rows)
        for j, value in enumerate(base + (effect + rng.normal(0, noise, N) if k else 0))
    ]
    spec = TableSpec(
        name="own",
        title="Own",
        rows=rows,
        columns={
            "l2": {"label": "L2", "better": "higher", "digits": 3},
            "clip": {"label": "CLIPScore, ours", "better": "higher", "digits": 3},
        },
        baselines={row: rows[0] for row in rows[1:]},
        paper=None,
        jobs=N,
    )
    return tables.build(spec, pd.DataFrame(lines), paper_model="tiny")


def told(table: tables.Table, passes={"iid": 75.0, "own": 75.0}) -> str:  # noqa: B006
    (finding,) = findings(table, CONFIGS, passes)
    return str(finding)


def test_a_difference_is_told_with_its_interval_and_what_it_costs():
    of = table(0.27, 0.0)
    test = of.cell("own", "l2").comparison.test
    base = of.cell("iid", "l2").mean
    effect, low, high = (100 * x / base for x in (test.difference, test.ci_low, test.ci_high))
    text = told(of)
    assert text.startswith("Repulsive noises (own) against independent noises (iid). ")
    assert f"Better: L2 {effect:+.1f} % (95 % interval {low:+.1f} to {high:+.1f})." in text
    assert text.endswith("No extra network passes.")
    assert "Network passes +12 %." in told(of, {"iid": 75.0, "own": 84.0})
    assert "passes" not in told(of, {})


def test_what_is_certain_is_told_as_a_cost():
    of = table(0.27, 0.0)
    rows = {"label": "network rows", "better": "neutral", "digits": 0, "certain": True}
    cells = [
        Cell(row, "rows", N, mean, 0.0, (), None) for row, mean in (("iid", 150), ("own", 168))
    ]
    spec = replace(of.spec, columns={**of.spec.columns, "rows": rows})
    text = told(replace(of, spec=spec, cells=(*of.cells, *cells)))
    assert text.endswith("Network rows +12 %.") and "passes" not in text


def test_a_step_of_a_longer_refinement_tells_no_passes(monkeypatch):
    passes = {"iid": 75.0, "own": 750.0}
    assert "Network passes +900 %" in told(table(0.27, 0.0), passes)
    step = CONFIGS["own"] | {"task": {"checkpoint": 10}}
    monkeypatch.setitem(CONFIGS, "own", step)
    assert "passes" not in told(table(0.27, 0.0), passes)


def test_the_sentence_changes_with_the_scores():
    assert "Worse: L2 -" in told(table(-0.27, 0.0))
    assert "Better" not in (nothing := told(table(0.0, 0.0, noise=0.2)))
    assert "No difference shown: L2, CLIPScore (ours)." in nothing
    assert "Equivalent within 1 %: CLIPScore (ours)." in told(table(0.27, 0.0, noise=0.01))
    assert told(table(0.0, 0.3)).split(". ")[1].startswith("Better: CLIPScore (ours) +")


def test_rows_that_differ_in_their_coupling_alone_come_first():
    found = findings(table(0.27, 0, rows=("iid", "cno", "own")), CONFIGS, {})
    assert [finding.who for finding in found] == [
        "Repulsive noises (own) against independent noises (iid)", "cno against iid",
    ]  # fmt: skip


def test_words_are_there_for_parts_and_metrics_and_for_nothing_else():
    words = {
        word.name: word for word in glossary(table(0.1, 0, rows=("iid", "cno", "own")), CONFIGS)
    }
    assert words.keys() == {"independent noises", "repulsive noises", "L2", "CLIPScore, ours"}
    assert words["independent noises"].rows == ("iid", "cno")


@pytest.mark.parametrize("effect", [0.0, 0.005, 0.02])
def test_equivalence_is_schuirmanns(effect):
    """Two one-sided tests at 5 % and the 90 % interval say the same."""
    of = table(effect, effect, noise=0.02)
    for metric, label in (("l2", "L2"), ("clip", "CLIPScore (ours)")):
        cell, base = of.cell("own", metric), of.cell("iid", metric).mean
        rng = np.random.default_rng(1)
        d = rng.normal(0, 1, N)
        test = cell.comparison.test
        d = test.difference + (d - d.mean()) / d.std(ddof=1) * (test.difference / test.dz)
        equivalent = equivalence(d, np.zeros(N), margin=0.01 * base).p < 0.05
        said = told(of).partition("Equivalent within 1 %: ")[2].partition(".")[0]
        assert (label in said) == (equivalent and cell.comparison.t_p_holm >= 0.05)


def test_the_corrected_interval_is_clear_of_zero_just_where_a_difference_is_shown():
    rng = np.random.default_rng(2)
    for _ in range(20):
        samples = [(rng.normal(rng.uniform(0, 0.5), 1, 30), np.zeros(30)) for _ in range(6)]
        tests = [paired(*pair) for pair in samples]
        for test, p in zip(tests, holm([test.t_p for test in tests]), strict=True):
            low, high = tables.Comparison("a", test, p, p, None, {}).corrected
            assert (low > 0 or high < 0) == (p < 0.05)
            assert low <= test.ci_low and test.ci_high <= high


def test_bold_is_the_best_where_its_tests_say_so():
    of = table(0.27, 0.0)
    assert best_mean(of, "l2") == of.cell("own", "l2").mean and best_mean(of, "clip") is None
    of = table(-0.27, 0.0)
    assert best_mean(of, "l2") == of.cell("iid", "l2").mean
