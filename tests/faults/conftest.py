"""Cells of stub galleries, actors that tests share, and the main job, here and elsewhere."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from stubs import INPUTS, Fault, K, Pictures, recipe

from experiments.cell import Cell
from experiments.compose import compose
from experiments.ledger import Ledger
from experiments.run import run
from experiments.store import GalleryStore, cell_key
from experiments.tasks import jobs_of
from experiments.workers.actors import RayWorkers
from experiments.workers.local import LocalWorkers
from metrics import MetricSuite
from metrics.scorers import PairwiseL2

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def pytest_collection_modifyitems(items) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)


@dataclass(frozen=True)
class Stub:
    """A cell of stub galleries, and what is known about how they were made."""

    cell: Cell
    method: Pictures

    def hashes(self) -> dict[str, tuple[str, ...]]:
        """The image hashes of every committed gallery, by job."""
        return {job: row.images for job, row in self.cell.galleries.committed().items()}

    def manifest_lines(self) -> list[dict]:
        text = (self.cell.galleries.folder / "manifest.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def failures(self):
        return Ledger(self.cell.galleries.folder).read()


@pytest.fixture
def stub(tmp_path) -> Callable[..., Stub]:
    """Makes a cell of `count` jobs; a second one with the same name has the same folder."""

    def make(count: int = 4, *, workers=None, name="run", suite=None, **faults: Fault) -> Stub:
        method = Pictures(tmp_path / name / "log", **faults)
        method.log.parent.mkdir(exist_ok=True)
        folder = tmp_path / name / f"stub-{cell_key(INPUTS)}"
        cell = Cell(
            label="stub",
            jobs=jobs_of([f"prompt {k}" for k in range(count)]),
            keep=None,
            galleries=GalleryStore(folder, INPUTS, gallery_size=K),
            recipe=recipe(method),
            suite=suite or l2(),
            score_file=tmp_path / name / "scores.jsonl",
            workers=workers or LocalWorkers(galleries_per_batch=2, retries=2),
        )
        return Stub(cell, method)

    return make


def l2(**scores) -> MetricSuite:
    scores = {"l2": PairwiseL2(), **scores}
    return MetricSuite(features={}, scores=scores, device="cpu", dtype="float32", batch_size=4)


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """Ray with two CPUs, for the whole session; its workers can import the stubs."""
    import ray

    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE), before]))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()
    os.environ["PYTHONPATH"] = before


def actors(num: int, **changes) -> RayWorkers:
    settings = {
        "num": num, "address": None, "cpus": 0.5, "gpus": 0, "start_seconds": 120,
        "batch_seconds": 120, "galleries_per_batch": 1, "retries": 2,
    }  # fmt: skip
    return RayWorkers(**settings | changes)


@pytest.fixture(scope="session")
def two_actors(ray_session) -> Iterator[RayWorkers]:
    """Two actors that stay, so that not every test waits for them to start."""
    workers = actors(2)
    yield workers
    workers.close()


@pytest.fixture
def here(tmp_path) -> Callable[..., None]:
    """Runs the main job with the bundled model and the given overrides in this process."""

    def start(*overrides: str, folder: Path = tmp_path) -> None:
        everything = [*settings(folder), *overrides]
        run(compose(everything), overrides=everything)

    return start


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
