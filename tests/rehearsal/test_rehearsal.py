"""Plans of all targets, a full run of each family from a hub, and, if slow, the whole walk."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.rehearsal import targets
from scripts.rehearsal.repositories import UNWANTED
from scripts.rehearsal.targets import ROOT

OFFERED = [target for target in targets.targets() if target not in targets.UNWALKED]
PAIRS = [(t, m) for t in OFFERED if targets.depends_on_the_model(t) for m in targets.models()]
DAILY = [(t, m) for t, m in PAIRS if m in ("sd15", "sd3") and t != "bench"]
"""One of each kind of sampler; bench has no plan. SDXL's plans are like SD1.5's, and the bundled
model's are made by many tests; the whole walk has them all.
"""
REFUSED = {tuple(pair) for pair in re.findall(r"^NOT_(\w+)_(\w+) *:=", targets.makefile(), re.M)}
FAMILIES = {"demo:sd15", "demo:sdxl", "demo:sd3", "table9:sd15"}
TOLD = re.compile(
    r"^(plan|walk) (\S+) +(\S+) +(done|not for this model|failed) +\S+ s  (.*)$", re.M
)

pytestmark = [pytest.mark.walks, pytest.mark.timeout(1200)]


@dataclass(frozen=True)
class Rehearsal:
    """What was said of each (plan or walk, target, model), and the stage's folder."""

    told: dict[tuple[str, str, str], tuple[str, str]]
    folder: Path
    report: str


def rehearse(folder: Path, *arguments: str) -> Rehearsal:
    """In a process of its own: the hub's library reads where the hub is once."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.rehearsal", "--folder", folder / "stage",
         "--out", folder / "out.md", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1) and (folder / "out.md").exists(), done.stderr[-2000:]
    told = {(word, t, m): (state, line) for word, t, m, state, line in TOLD.findall(done.stdout)}
    return Rehearsal(told, folder / "stage", (folder / "out.md").read_text())


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory) -> Rehearsal:
    plans = [f"{target}:{model}" for target, model in DAILY]
    folder = tmp_path_factory.mktemp("rehearsal")
    return rehearse(folder, "--plan", *plans, "--walk", *sorted(FAMILIES))


@pytest.mark.parametrize(("target", "model"), DAILY)
def test_a_target_plans_at_its_own_scale_or_says_why_not(rehearsal, target, model):
    state, line = rehearsal.told["plan", target, model]
    assert state == ("not for this model" if (target, model) in REFUSED else "done"), line
    assert (target in line) or model in line


@pytest.mark.parametrize("pair", sorted(FAMILIES))
def test_a_family_is_fetched_and_runs(rehearsal, pair):
    state, line = rehearsal.told["walk", *pair.split(":")]
    assert state == "done", line
    assert re.match(r"[1-9]\d* images", line)
    assert "one replayed" in line or "table9" in pair  # an object's picture is not in an image


def test_nothing_is_fetched_that_is_not_needed(rehearsal):
    shards = 0
    for requests in rehearsal.folder.glob("*/requests.txt"):
        asked = re.findall(r"^GET /([^/]+/[^/]+)/resolve/\w+/(.+)$", requests.read_text(), re.M)
        hub = requests.with_name("hub")
        files = [hub / repository / file for repository, file in asked]
        assert not [file for file in files if file.read_bytes() == UNWANTED]
        shards += sum("model.fp16-00002-of-00002" in file.name for file in files)
    assert shards


@pytest.mark.slow
def test_the_whole_walk(tmp_path):
    whole = rehearse(tmp_path)
    failed = {key: line for key, (state, line) in whole.told.items() if state == "failed"}
    assert not failed
    for word in ("plan", "walk"):
        assert {key[1:] for key in whole.told if key[0] == word} >= set(PAIRS)
