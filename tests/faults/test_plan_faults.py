"""Fault 15: what changed decides what is made again, and the plan says so beforehand."""

import re
import shutil

import hydra
import pytest
from runs import settings

from experiments.compose import CONFIGS
from experiments.run import run


@pytest.fixture
def planned(tmp_path, capsys):
    """What the plan says, a line each, after the one that says what is about to be made."""

    def planned(*overrides: str, configs=CONFIGS) -> list[str]:
        everything = [*settings(tmp_path), "plan=true", *overrides]
        capsys.readouterr()
        with hydra.initialize_config_dir(str(configs), version_base="1.3"):
            run(hydra.compose("config", overrides=everything), overrides=everything)
        head, *lines = capsys.readouterr().out.splitlines()
        assert re.fullmatch(
            r"repulsive of tiny, 64 px, \d steps: a row, \d galleries to make.*", head
        )
        assert ("about 0:00:0" in head or "unknown" in head) == ("generate, " in lines[0])
        return lines

    return planned


def test_15_a_change_makes_anew_what_depends_on_it(here, planned, tmp_path):
    assert planned("task.num_prompts=3")[0] == (
        "repulsive: 3 of 3 galleries to generate, a new cell"
    )
    here("task.num_prompts=3")
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    nothing = ["repulsive: 3 galleries, nothing to generate"]
    assert planned("task.num_prompts=3") == nothing

    more, cost, rows = planned("task.num_prompts=5")
    assert "network rows a gallery" in rows
    assert more == "repulsive: 2 of 5 galleries to generate, 5 are asked for"
    assert cost.startswith("repulsive: about 0:00:0") and cost.endswith("MiB at the peak")
    assert planned("task.num_prompts=3", "seed=1")[0] == (
        "repulsive: 3 of 3 galleries to generate, a new cell: seed 0 -> 1"
    )
    anew, unknown, _ = planned("task.num_prompts=3", "model.num_steps=3")
    assert anew.endswith("a new cell: model.num_steps 2 -> 3") and "unknown" in unknown
    assert planned("task.num_prompts=3", "metrics.scores.clip.prefix=photo") == [
        *nothing,
        "repulsive: 3 of these galleries to score, clip: prefix  -> photo",
    ]

    commented = shutil.copytree(CONFIGS, tmp_path / "configs")
    for path in commented.rglob("*.yaml"):
        path.write_text(path.read_text() + "\n# a comment\n")
    assert planned("task.num_prompts=3", configs=commented) == nothing
    assert (
        files.items()
        <= {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}.items()
    )
