"""Sweeps as jobs: what SLURM is told, and a sweep here that is pre-empted and finishes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import hydra
import psutil
import pytest

from experiments.compose import CONFIGS
from experiments.run import run

pytest.importorskip("hydra_plugins.hydra_submitit_launcher")

ROOT = Path(__file__).parents[2]
SWEEP = {"coupling": ("iid", "repulsive"), "optimizer": ("none", "cno")}
QUICK = ["task.num_prompts=12", "model.num_steps=4", "workers.galleries_per_batch=1"]


def test_jobs_are_told_before_they_are_stopped_and_queue_again(tmp_path):
    """What sbatch is given, by a stand-in for it."""
    tools = {
        "sbatch": f'cp "$1" {tmp_path}/copy && mv {tmp_path}/copy {tmp_path}/script; echo job 1',
        "srun": "true",
        "sacct": "true",
    }
    for name, program in tools.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / name).chmod(0o755)
    sweep = _sweep("hydra/launcher=slurm", "coupling=iid,repulsive", folder=tmp_path, path=tmp_path)
    try:
        _wait((tmp_path / "script").exists, sweep)
    finally:
        sweep.kill()
        said, _ = sweep.communicate()
    assert "#1 : coupling=repulsive" in said
    script = (tmp_path / "script").read_text()
    for option in ("array=0-1%2", "signal=USR2@120", "requeue", "open-mode=append"):
        assert f"#SBATCH --{option}\n" in script


def _sweep(*overrides: str, folder: Path, path: Path | None = None) -> subprocess.Popen:
    """A sweep in a process of its own, with `path` before the others that programs are found in."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if path:
        environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.run", "-m", *overrides, *_here(folder)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def _here(folder: Path) -> list[str]:
    return [f"output_dir={folder / 'outputs'}", f"results_dir={folder / 'results'}"]


def _galleries(folder: Path) -> dict[tuple[str, str], list[str]]:
    """The image hashes of every committed gallery, by cell and job."""
    return {
        (path.parent.name, row["job"]): row["images"]
        for path in folder.glob("outputs/*/manifest.jsonl")
        for row in map(json.loads, path.read_text().splitlines())
    }


def _wait(true, sweep: subprocess.Popen):
    """What becomes true while the sweep runs."""
    until = time.monotonic() + 240
    while not (found := true()):
        assert sweep.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_sweep_over_cells_is_pre_empted_requeued_and_finishes(tmp_path):
    choices = [f"{group}={','.join(names)}" for group, names in SWEEP.items()]
    sweep = _sweep("hydra/launcher=submitit_local", *choices, *QUICK, folder=tmp_path)
    # what has said what it will do listens to the signal, too
    (log, *_) = _wait(
        lambda: [
            log for log in tmp_path.glob("outputs/.submitit/*/*.out")
            if "12 to generate" in log.read_text()
        ],
        sweep,
    )  # fmt: skip
    (task,) = psutil.Process(int(log.parent.name)).children()
    task.send_signal(signal.SIGUSR2)  # as SLURM does before it takes the machine
    said, _ = sweep.communicate(timeout=300)
    assert sweep.returncode == 0
    assert "coupling=iid optimizer=cno" in said
    text = log.read_text()
    assert "this job is preempted" in text and f"Requeued job {log.parent.name}" in text
    assert text.count("Job completed successfully") == 1

    unbroken = tmp_path / "unbroken"
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        for coupling in SWEEP["coupling"]:
            for optimizer in SWEEP["optimizer"]:
                cell = [f"coupling={coupling}", f"optimizer={optimizer}"]
                overrides = [*cell, *QUICK, *_here(unbroken)]
                run(hydra.compose("config", overrides=overrides), overrides=overrides)
    assert _galleries(tmp_path) == _galleries(unbroken)
    assert len(_galleries(tmp_path)) == 4 * 12
