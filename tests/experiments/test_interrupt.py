"""Ctrl-C, a real SIGINT in a process of its own: one line, status 130, and the rest goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.errors import STOPPED, UsageError, command, resumable

ROOT = Path(__file__).parents[2]
SLEEPS = """
import sys, time
from experiments.errors import command
@command()
def main():
    try:
        exec("print('ready', flush=True); time.sleep(60)")
    finally:
        print("unwound", flush=True)
main()
"""


@pytest.fixture
def started(tmp_path):
    """Starts a program, which is interrupted once `ready` of the folder is true."""

    def started(*arguments: str, ready) -> tuple[int, list[str], list[str]]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # or it would inherit that a shell's background jobs ignore the signal
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        until = time.monotonic() + 120
        while not ready(process):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
        return process.returncode, out.splitlines(), error.splitlines()

    return started


def _committed(folder: Path) -> int:
    return sum(len(path.read_text().splitlines()) for path in folder.glob("outputs/*/*.jsonl"))


@pytest.mark.walks
def test_a_run_says_what_is_committed_and_goes_on(started, tmp_path):
    run = ["-m", "experiments.run", "model.num_steps=2", "workers.galleries_per_batch=1"]
    run += ["task.num_prompts=100", "workers.lanes=1", "results_dir=results"]
    status, _, error = started(*run, ready=lambda _: _committed(tmp_path) >= 2)
    there = _committed(tmp_path)
    assert status == STOPPED and 2 <= there < 100
    assert error[-1] == (
        f"stopped; {there} of 100 galleries are committed, run the same command again to go on"
    )
    assert not any("Traceback" in line for line in error)

    again = [*run, "task.num_prompts=" + str(there + 1)]
    command = [sys.executable, *again]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert f"{there + 1} galleries, 1 to generate" in done.stdout


@pytest.mark.walks
def test_learning_says_how_many_steps_are_committed(started, tmp_path):
    learn = ["-m", "experiments.learn", "model.num_steps=2", "task.num_prompts=2", "reward=l2"]
    learn += ["prompts_per_step=1", "num_steps=200", "results_dir=results"]
    ready = lambda _: any(tmp_path.glob("outputs/learn/*.safetensors"))  # noqa: E731
    status, _, error = started(*learn, ready=ready)
    assert status == STOPPED
    assert error[-1].startswith("stopped; ")
    assert error[-1].endswith(" of 200 steps are committed, run the same command again to go on")


def test_a_command_that_commits_nothing_says_that_it_stopped(started):
    status, out, error = started("-c", SLEEPS, ready=lambda process: process.stdout.readline())
    assert (status, out, error) == (STOPPED, ["unwound"], ["stopped"])


def test_an_error_that_the_user_can_mend_is_one_line(capsys):
    @command(status=2)
    def main() -> None:
        raise UsageError("no such thing; choose another")

    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: no such thing; choose another\n"


def test_how_far_it_was_is_asked_when_it_is_stopped(capsys):
    done = 0
    with pytest.raises(SystemExit) as ended, command(), resumable(lambda: f"{done} are committed"):
        done = 3
        raise KeyboardInterrupt
    assert ended.value.code == STOPPED
    error = capsys.readouterr().err
    assert error == "stopped; 3 are committed, run the same command again to go on\n"
