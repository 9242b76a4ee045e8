"""Cells of stub galleries, workers for them, and the main job in a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from stubs import Pictures

from experiments.cells.cell import Cell
from experiments.galleries.folder import CellFolder
from experiments.workers.actors import RayWorkers
from experiments.workers.local import LocalWorkers
from metrics import MetricSuite
from metrics.scorers import PairwiseL2

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Stub:
    """A cell of stub galleries, and what is known about how they were made."""

    cell: Cell
    method: Pictures

    @property
    def folder(self) -> CellFolder:
        return self.cell.production.folder

    def make(self) -> None:
        """Makes what is missing."""
        self.cell.production.make()

    def hashes(self) -> dict[str, tuple[str, ...]]:
        """The image hashes of every committed gallery, by job."""
        return {job: row.images for job, row in self.folder.committed().items()}

    def manifest_lines(self) -> list[dict]:
        text = (self.folder.path / "manifest.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def failures(self):
        return self.folder.failures()


def l2(**scores) -> MetricSuite:
    scores = {"l2": PairwiseL2(), **scores}
    return MetricSuite(features={}, scores=scores, device="cpu", dtype="float32", batch_size=4)


def one_lane(galleries_per_batch: int, retries: int) -> LocalWorkers:
    """This process, a batch after the other."""
    return LocalWorkers(
        galleries_per_batch=galleries_per_batch, threads=1, retries=retries, lanes=1
    )


def actors(num: int, **changes) -> RayWorkers:
    settings = {
        "num": num, "address": None, "cpus": 0.5, "gpus": 0, "start_seconds": 120,
        "batch_seconds": 120, "galleries_per_batch": 1, "threads": 1, "retries": 2,
    }  # fmt: skip
    return RayWorkers(**settings | changes)


def settings(folder: Path) -> list[str]:
    return [
        f"output_dir={folder / 'outputs'}",
        f"results_dir={folder / 'results'}",
        "model.num_steps=2",
        "workers.galleries_per_batch=2",
    ]


def elsewhere(*overrides: str, folder: Path, **environment: str) -> subprocess.Popen:
    """The same in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.run", *settings(folder), *overrides],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def committed(folder: Path) -> dict[str, list[str]]:
    """The image hashes of every committed gallery under a folder, by cell and job."""
    return {
        f"{manifest.parent.name}/{row['job']}": row["images"]
        for manifest in folder.glob("outputs/*/manifest.jsonl")
        for row in rows(manifest)
    }


def rows(manifest: Path) -> list[dict]:
    """The whole rows of a manifest that may be written to at this moment."""
    found = []
    for line in manifest.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
