"""Several seeds: galleries for each, and statistics in which the n is of prompts."""

import json

import hydra
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from experiments.compose import CONFIGS
from experiments.errors import UsageError
from experiments.report.committed import published
from experiments.report.publish import write_table
from experiments.run import run
from experiments.tables import table as tables
from experiments.tables.scorerows import PROVENANCE
from experiments.tables.spec import TableSpec

JOBS, SEEDS = 40, 3
SPEC = {
    "name": "own",
    "title": "Several seeds",
    "rows": ["iid", "coupled"],
    "columns": {"l2": {"label": "L2", "better": "higher", "digits": 3}},
    "baselines": {"coupled": "iid"},
    "paper": None,
    "jobs": JOBS,
    "seeds": SEEDS,
}


@pytest.fixture
def scores() -> pd.DataFrame:
    """Effects of 0.03, that differ between prompts by 0.06, and within a prompt by 0.05."""
    rng = np.random.default_rng(0)
    job, seed = (grid.ravel() for grid in np.mgrid[:JOBS, :SEEDS])
    iid = rng.normal(0.5, 0.1, JOBS)[job] + rng.normal(0, 0.05, len(job))
    effect = rng.normal(0.03, 0.06, JOBS)[job] + rng.normal(0, 0.05, len(job))
    wide = pd.DataFrame({"job": job, "seed": seed, "iid": iid, "coupled": iid + effect})
    lines = wide.melt(["job", "seed"], var_name="row").assign(
        metric="l2", **dict.fromkeys(PROVENANCE)
    )
    return lines.assign(prompt="prompt " + lines["job"].astype(str), implementation="metrics.l2")


def build(scores, **changes):
    return tables.build(TableSpec(**SPEC | changes), scores, paper_model="tiny")


def test_the_test_is_the_mixed_model_with_a_random_prompt(scores):
    """By statsmodels' REML; its variance of prompts must not be at the boundary."""
    wide = scores.pivot(index=["job", "seed"], columns="row", values="value").reset_index()
    wide["d"] = wide["coupled"] - wide["iid"]
    fit = smf.mixedlm("d ~ 1", wide, groups="job").fit(reml=True)
    assert fit.cov_re.iloc[0, 0] > 1e-4
    test = build(scores).cell("coupled", "l2").comparison.test
    estimate, error = fit.fe_params["Intercept"], fit.bse_fe["Intercept"]
    assert test.n == JOBS
    assert test.difference == pytest.approx(estimate, rel=1e-9)
    half = stats.t.ppf(0.975, JOBS - 1) * error
    assert test.ci_high - test.ci_low == pytest.approx(2 * half, rel=1e-4)
    assert test.t_p == pytest.approx(2 * stats.t.sf(estimate / error, JOBS - 1), rel=1e-3)
    of_all = stats.ttest_1samp(wide["d"], 0).pvalue
    assert of_all < test.t_p / 3  # galleries as the n would make too much of it


def test_one_seed_is_what_a_table_without_seeds_is(scores):
    one = scores[scores["seed"] == 1]
    with_one, without = (build(lines, seeds=1) for lines in (one, one.drop(columns="seed")))
    assert with_one == without
    assert with_one.cell("iid", "l2").mean == one[one["row"] == "iid"]["value"].to_numpy().mean()


def test_n_is_prompts_times_seeds_in_every_form(scores, tmp_path):
    paths = write_table(build(scores), tmp_path, "t", made_by={})
    texts = {path.suffix: path.read_text() for path in paths}
    row = next(line for line in texts[".md"].splitlines() if line.startswith("| coupled |"))
    assert row.endswith(f"| {JOBS} × {SEEDS} |")
    assert f"each the mean of {SEEDS} seeds); n prompts × seeds." in texts[".md"]
    assert "difference is its mean over the seeds, and the prompt is the unit" in texts[".md"]
    assert f"n = {JOBS} × {SEEDS}." in texts[".tex"]


def test_a_prompt_without_one_of_its_seeds_is_a_gap(scores):
    lacking = scores[~((scores["job"] == 3) & (scores["seed"] == 2) & (scores["row"] == "iid"))]
    with pytest.raises(UsageError, match="'iid' has 39 of 40 galleries of all 3 seeds for l2"):
        build(lacking)
    with pytest.raises(UsageError, match="'iid' has 0 of 40 galleries of all 3 seeds for l2"):
        build(scores[scores["seed"] < 2])
    twice = pd.concat([scores, scores.tail(1)])
    with pytest.raises(UsageError, match="two scores of l2 for job 39"):
        build(twice)


@pytest.fixture
def start(tmp_path):
    def start(*overrides: str):
        here = [f"output_dir={tmp_path / 'outputs'}", f"results_dir={tmp_path / 'results'}"]
        few = ["task.num_prompts=2", "model.num_steps=2", "workers.galleries_per_batch=2"]
        small = [*few, "report.galleries=1", *here, *overrides]
        with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
            run(hydra.compose("config", overrides=small), overrides=small)
        return tmp_path

    return start


@pytest.mark.walks
def test_a_table_of_seeds_takes_the_galleries_that_a_seed_has(start, capsys):
    table = "experiment=demo"
    folder = start(table, "seed=1")
    single = json.loads((folder / "results/demo/tiny.json").read_text())
    assert len(list(folder.glob("outputs/*/cell.json"))) == 2
    capsys.readouterr()
    start(table, "seeds=[0,1]")
    told = capsys.readouterr().out
    assert "iid, seed 0: 2 galleries, 2 to generate" in told
    assert "iid, seed 1: 2 galleries, nothing to generate" in told
    assert len(list(folder.glob("outputs/*/cell.json"))) == 4
    several = next(each for each in published(folder / "results") if each.table.spec.seeds == 2)
    assert several.path.name == "tiny-n2.json"  # beside the one of another seed
    assert len(several.scores[several.scores["metric"] == "l2"]) == 2 * 2 * 2
    rebuilt = several.scores.query("metric == 'l2' and row == 'iid' and seed == 1")["value"].mean()
    (of_one,) = (c for c in single["cells"] if (c["row"], c["metric"]) == ("iid", "l2"))
    assert rebuilt == pytest.approx(of_one["mean"], rel=1e-12)
    assert "2 × 2" in several.path.with_suffix(".html").read_text()


@pytest.mark.parametrize("seeds", ["3", "[]", "[0,0]", "[0,a]"])
def test_what_are_no_seeds_is_refused_before_anything_is_made(start, seeds):
    with pytest.raises(UsageError, match=r"seeds = .* must be different integers in a list"):
        start(f"seeds={seeds}")
