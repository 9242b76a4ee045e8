"""Faults of the main job itself, in processes of its own."""

import random
import time
from pathlib import Path
from subprocess import Popen

import pytest
from runs import committed, elsewhere, rows

from experiments.verify import verify

PROMPTS = "task.num_prompts=14"


def wait_for(galleries: int, folder: Path, run: Popen) -> None:
    """Until so many galleries are committed."""
    while run.poll() is None:
        if sum(len(rows(m)) for m in folder.glob("outputs/*/manifest.jsonl")) >= galleries:
            return
        time.sleep(0.02)
    raise AssertionError(f"the run ended too early: {run.communicate()[1]}")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_02_driver_killed_at_five_random_points(here, tmp_path):
    """Killed five times and resumed: the hashes of a run that nothing befell."""
    clean, struck = tmp_path / "clean", tmp_path / "struck"
    quick = [PROMPTS, "model.num_steps=10"]
    here(*quick, folder=clean)
    chance = random.Random(20261124)
    for count in range(0, 10, 2):
        run = elsewhere(*quick, folder=struck)
        wait_for(count + 1 if count else 0, struck, run)
        time.sleep(chance.uniform(0, 0.4))
        run.kill()
        assert run.wait() == -9
    assert len(committed(struck)) < len(committed(clean))
    here(*quick, folder=struck)
    assert committed(struck) == committed(clean)
    assert not [f for f in verify(struck / "outputs", repair=False) if f.kind != "foreign"]


@pytest.mark.slow
def test_16_two_drivers(tmp_path):
    """The second refuses at once, and the first does not notice."""
    many = ["task.num_prompts=40", "model.num_steps=25"]
    first = elsewhere(*many, folder=tmp_path)
    wait_for(1, tmp_path, first)
    second = elsewhere(*many, folder=tmp_path)
    _, said = second.communicate(timeout=60)
    assert second.returncode == 1
    assert said.startswith("error: another run is writing to ") and said.count("\n") == 1
    assert first.poll() is None
    before = len(committed(tmp_path))
    wait_for(before + 1, tmp_path, first)
    first.kill()
    first.wait()
    damaged = [f for f in verify(tmp_path / "outputs", repair=False) if f.kind != "foreign"]
    assert not damaged
