"""A sweep over methods ends in one table; what is no sweep of comparable runs has none."""

import json
import subprocess
import sys

import pytest

from experiments.cells.sweep import table_of_sweep


@pytest.mark.walks
def test_a_sweep_ends_in_one_table_with_its_paired_test(tmp_path):
    here = [f"output_dir={tmp_path / 'outputs'}", f"results_dir={tmp_path / 'results'}"]
    words = ["-m", "coupling=iid,repulsive", "task.num_prompts=4", "model.num_steps=2"]
    words += ["workers.galleries_per_batch=4", *here]
    command = [sys.executable, "-m", "experiments.run", *words]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    table = json.loads((tmp_path / "results" / "sweep" / "tiny.json").read_text())
    assert table["spec"]["rows"] == ["coupling=iid", "coupling=repulsive"]
    tested = {c["metric"]: c["comparisons"] for c in table["cells"] if "repulsive" in c["row"]}
    assert [each["baseline"] for each in tested["l2"]] == ["coupling=iid"]
    assert tested["l2"][0]["test"]["n"] == 4
    assert len(list(tmp_path.glob("outputs/tiny-*"))) == 2  # the table made no galleries
    assert "Repulsive noises (coupling=repulsive) against independent noises" in said
    assert said.strip().endswith((tmp_path / "results" / "sweep" / "tiny.html").as_uri())


@pytest.mark.parametrize(
    "words",
    [
        ["coupling=iid,repulsive"],
        ["-m", "coupling=iid"],
        ["-m", "seed=0,1", "coupling=iid,repulsive"],
        ["-m", "experiment=table1,table5"],
        ["-m", "shard=1/2,2/2"],
        ["-m", "task.num_prompts=2,3"],
    ],
)
def test_what_is_no_sweep_of_pairs_has_no_table(words):
    assert table_of_sweep(words) is None
