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


def test_jobs_are_put_into_the_queue_again():
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = hydra.compose(
            "config", overrides=["hydra/launcher=slurm"], return_hydra_config=True
        )
    launcher = config.hydra.launcher
    assert hasattr(hydra.utils.get_class(launcher._target_), "checkpoint")
    assert launcher.max_num_timeout > 0 and launcher.signal_delay_s < 60 * launcher.timeout_min


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
    command = [sys.executable, "-m", "experiments.run", "-m", "hydra/launcher=submitit_local"]
    choices = [f"{group}={','.join(names)}" for group, names in SWEEP.items()]
    sweep = subprocess.Popen(
        [*command, *choices, *QUICK, *_here(tmp_path)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
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
