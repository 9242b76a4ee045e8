"""Every test here is one of the faults; those of workers share two actors."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from runs import HERE, Stub, actors, l2, one_lane, settings
from stubs import INPUTS, Fault, K, Pictures, recipe

from experiments.cells.cell import Cell
from experiments.cells.production import Production
from experiments.compose import compose
from experiments.galleries.folder import CellFolder, cell_key
from experiments.run import run
from experiments.tasks.job import jobs_of
from experiments.workers.actors import RayWorkers


def pytest_collection_modifyitems(items) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.fixture
def stub(tmp_path) -> Callable[..., Stub]:
    """Makes a cell of `count` jobs; a second one with the same name has the same folder."""

    def make(count: int = 4, *, workers=None, name="run", suite=None, **faults: Fault) -> Stub:
        method = Pictures(tmp_path / name / "log", **faults)
        method.log.parent.mkdir(exist_ok=True)
        path = tmp_path / name / f"stub-{cell_key(INPUTS)}"
        folder = CellFolder(path, INPUTS, gallery_size=K)
        jobs = jobs_of([f"prompt {k}" for k in range(count)])
        workers = workers or one_lane(2, retries=2)
        cell = Cell(
            label="stub",
            seed=0,
            jobs=jobs,
            galleries=folder,
            place=path,
            suite=suite or l2(),
            score_file=tmp_path / name / "scores.jsonl",
            production=Production("stub", jobs, folder, recipe(method), workers, shard=None),
        )
        return Stub(cell, method)

    return make


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """Ray with two CPUs and what it takes for two GPUs; its workers can import the stubs."""
    import ray

    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE), before]))
    ray.init(
        num_cpus=2,
        num_gpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    yield
    ray.shutdown()
    os.environ["PYTHONPATH"] = before


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
