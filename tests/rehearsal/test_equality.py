"""What comes from a hub makes the same images as diffusers' own pipeline of the same snapshot."""

import json
import subprocess
import sys

import pytest

from scripts.rehearsal.targets import ROOT


@pytest.mark.walks
@pytest.mark.slow
def test_families_from_a_hub_equal_diffusers(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.rehearsal.equality", tmp_path / "stage"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    differences = json.loads(done.stdout.splitlines()[-1])
    assert len(differences) == 5
    assert max(differences.values()) < 1e-5, differences
