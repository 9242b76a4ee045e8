"""Row 23: pre-emption. Galleries in hand are dropped, the status says requeue, a rerun goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.preemption import REQUEUE

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]
PROMPTS = 12


def _start(folder: Path, *overrides: str) -> subprocess.Popen:
    """A run that commits a gallery at a time."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "experiments.run", f"task.num_prompts={PROMPTS}"),
            *("model.num_steps=4", "workers.galleries_per_batch=1"),
            *(f"output_dir={folder / 'outputs'}", f"results_dir={folder / 'results'}"),
            *overrides,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _committed(folder: Path) -> dict[str, list[str]]:
    """The image hashes of every gallery, by job."""
    lines = [line for path in folder.glob("outputs/*/manifest.jsonl") for line in path.open()]
    rows = [json.loads(line) for line in lines if line.endswith("\n")]
    return {row["job"]: row["images"] for row in rows}


def _wait_for(count: int, folder: Path) -> None:
    until = time.monotonic() + 120
    while len(_committed(folder)) < count:
        assert time.monotonic() < until, "nothing is committed"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    process = _start(folder)
    assert process.wait(240) == 0, process.stderr.read()
    return _committed(folder)


def test_23_a_pre_empted_run_says_so_and_a_rerun_ends_as_an_unbroken_one(unbroken, tmp_path):
    process = _start(tmp_path)
    _wait_for(2, tmp_path)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == REQUEUE == 75
    assert "SIGTERM: stopped, run again to go on" in said and "Traceback" not in said
    before = _committed(tmp_path)
    assert 2 <= len(before) < PROMPTS

    again = _start(tmp_path)
    assert again.wait(240) == 0, again.stderr.read()
    after = _committed(tmp_path)
    assert after == unbroken and after.items() >= before.items()
    assert len(list(tmp_path.glob("outputs/*/manifest.jsonl"))) == 1


@pytest.mark.slow
def test_23_the_driver_of_many_workers_does_the_same(tmp_path):
    ray = ["workers=ray", "workers.num=2", "workers.galleries_per_batch=1"]
    process = _start(tmp_path, *ray)
    _wait_for(2, tmp_path)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == REQUEUE and "Traceback" not in said
    before = _committed(tmp_path)
    assert 2 <= len(before) < PROMPTS

    again = _start(tmp_path, *ray)
    assert again.wait(240) == 0, again.stderr.read()
    after = _committed(tmp_path)
    assert len(after) == PROMPTS and after.items() >= before.items()
