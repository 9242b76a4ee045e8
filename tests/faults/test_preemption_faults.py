"""Row 23: pre-emption. Galleries in hand are dropped, the status says requeue, a rerun goes on."""

import signal
import time
from pathlib import Path
from subprocess import Popen

import pytest
from runs import committed, elsewhere

from experiments.workers.preemption import REQUEUE

PROMPTS = 12
ONE_BY_ONE = [f"task.num_prompts={PROMPTS}", "model.num_steps=4", "workers.galleries_per_batch=1"]


def _pre_empt(run: Popen, folder: Path) -> str:
    """Sends SIGTERM in the middle of the run; returns what it says."""
    while len(committed(folder)) < 2:
        assert run.poll() is None, run.communicate()[1]
        time.sleep(0.02)
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate(timeout=120)
    assert run.returncode == REQUEUE == 75
    assert 2 <= len(committed(folder)) < PROMPTS
    return said


def test_23_a_pre_empted_run_says_so_and_a_rerun_ends_as_an_unbroken_one(here, tmp_path):
    said = _pre_empt(elsewhere(*ONE_BY_ONE, folder=tmp_path), tmp_path)
    assert "SIGTERM: stopped, run again to go on" in said and "Traceback" not in said
    before = committed(tmp_path)
    here(*ONE_BY_ONE)
    after = committed(tmp_path)
    assert after.items() >= before.items()

    here(*ONE_BY_ONE, folder=tmp_path / "unbroken")
    assert after == committed(tmp_path / "unbroken") and len(after) == PROMPTS


@pytest.mark.slow
def test_23_the_driver_of_many_workers_does_the_same(tmp_path):
    """Though Ray has a handler of its own."""
    ray = [*ONE_BY_ONE, "workers=ray", "workers.num=2"]
    said = _pre_empt(elsewhere(*ray, folder=tmp_path), tmp_path)
    assert "Traceback" not in said
    before = committed(tmp_path)
    again = elsewhere(*ray, folder=tmp_path)
    _, said = again.communicate(timeout=240)
    assert again.returncode == 0, said
    after = committed(tmp_path)
    assert len(after) == PROMPTS and after.items() >= before.items()
