"""A store of many galleries, written without making any: what it costs to go on from it.

    resume   from the command to the first batch, one gallery in a thousand missing
    verify   a walk over every entry and folder; hashing is measured on galleries with images
    score    reading the score rows of one metric, and a table of two methods by it

Entries, folders and score rows are those of a run, with names and hashes of their own; there are no
images where none is read. Every measurement has a process of its own, so that its peak memory is
its own.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch

from coupling.drift import drift
from experiments.cells.production import Production
from experiments.cells.score import read
from experiments.cells.scorerow import ScoreRow, frame
from experiments.galleries.folder import CellFolder, cell_key
from experiments.galleries.gallery import Gallery, encode
from experiments.galleries.inspection import inspect
from experiments.galleries.manifest import Entry
from experiments.galleries.writer import writing
from experiments.models.execution import EAGER
from experiments.tables.spec import Column, TableSpec
from experiments.tables.table import build
from experiments.tasks.job import Job, jobs_of
from experiments.workers import memory
from experiments.workers.batch import Batch, Recipe
from experiments.workers.dispatch import Workers
from experiments.workers.provenance import provenance
from experiments.workers.worker import Result

K = 3
MISSING = 1000  # of which one gallery is not there
IMAGES = 20  # galleries that are hashed
INPUTS = {"scaling": "a store without a method"}
IDENTITY = {
    "implementation": "none", "convention_version": "1", "weights": "none", "library": "none",
    "dtype": "float32", "device": "cpu", "suite": "none", "commit": "0" * 40, "tree": "clean",
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """Seconds, those of the processor among them, and MiB at the peak of a process of its own."""

    seconds: float
    processor: float
    memory: float


def measure(count: int, folder: Path) -> Mapping[str, Found]:
    """Everything, of `count` galleries; the store stays in `folder`."""
    cell = folder / f"scaling-{cell_key(INPUTS)}"
    store(count, cell)
    with_images(folder / "images")
    parts: dict[str, tuple[Callable[[int, Path], None], Path]] = {
        "resume": (resume, cell),
        "walk": (walk, cell),
        "hash": (hashing, folder / "images"),
        "score": (scores, folder / "scores.jsonl"),
        "table": (table, folder / "scores.jsonl"),
    }
    found = {name: alone(part, count, path) for name, (part, path) in parts.items()}
    times, few = count / IMAGES, found["hash"]
    return found | {"hash": Found(few.seconds * times, few.processor * times, few.memory)}


def alone(part: Callable[[int, Path], None], count: int, path: Path) -> Found:
    """Measures in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_found, part, count, path).result()


def _found(part: Callable[[int, Path], None], count: int, path: Path) -> Found:
    start, before = perf_counter(), process_time()
    part(count, path)
    taken, processor = perf_counter() - start, process_time() - before
    return Found(taken, processor, memory.peak(torch.device("cpu")))


def jobs(count: int) -> list[Job]:
    return jobs_of([f"a bedroom with a bed and {number} lamps" for number in range(count)])


def store(count: int, cell: Path) -> None:
    """The manifest and the folders of all galleries but one in MISSING, and their score rows."""
    noise = torch.randn(K, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    seconds = {stage: 0.1234567890123 for stage in ("encode", "couple", "denoise", "decode")}
    entry = Entry(
        job="", prompt="", images=(), seconds=seconds, passes={"sample": 75}, loss=(),
        drift=drift(noise, torch.eye(K)), peak=1234.5, rows=150,
        made_with={**provenance(torch.device("cpu")), "execution": "eager"},
    )  # fmt: skip
    rest = asdict(entry)
    (cell / "galleries").mkdir(parents=True)
    with (
        (cell / "manifest.jsonl").open("w") as manifest,
        (cell.parent / "scores.jsonl").open("w") as scored,
    ):
        for number, job in enumerate(jobs(count)):
            if number % MISSING:
                (cell / "galleries" / job.id).mkdir()
                images = [hashlib.sha256(f"{job.id}{k}".encode()).hexdigest() for k in range(K)]
                named = {"job": job.id, "prompt": job.prompt, "images": images}
                manifest.write(json.dumps(rest | named, sort_keys=True) + "\n")
            row = ScoreRow(job.id, job.prompt, job.id, "L2", number % 997 / 997, IDENTITY)
            scored.write(json.dumps(row.line(), sort_keys=True) + "\n")


def with_images(cell: Path) -> None:
    """Galleries as SD1.5's, IMAGES of them, of noise that no PNG makes smaller."""
    rng = np.random.default_rng(0)
    gallery_drift = drift(torch.randn(K, 4, 8, 8), torch.eye(K))
    with writing(CellFolder(cell, INPUTS, gallery_size=K)) as writer:
        for job in jobs(IMAGES):
            images = rng.integers(0, 256, (K, 512, 512, 3), dtype=np.uint8)
            made = Gallery(job, images, {}, {}, (), gallery_drift)
            writer.commit(encode(made, inputs=INPUTS, made_with={}))


class Nobody(Workers):
    """Workers that make nothing."""

    at_once = told = prepare = close = lambda self, *_: None  # type: ignore[assignment]

    def results(self, *_: Any) -> Iterator[tuple[Batch, Result]]:
        return iter(())


def resume(count: int, cell: Path) -> None:
    """What a run does before its first batch, but for loading the model."""
    nothing: Any = SimpleNamespace(
        sketch=lambda: None, check=lambda *_: None, prepare=lambda: None, executed=EAGER, size=K
    )
    workers = Nobody(galleries_per_batch=8, threads=1, retries=0)
    folder, recipe = CellFolder(cell, INPUTS, gallery_size=K), Recipe(nothing, 0, INPUTS, nothing)
    production = Production("resume", jobs(count), folder, recipe, workers, None)
    assert len(production.missing()) == -(-count // MISSING)
    production.check()
    production.prepare()
    production.make()


def walk(count: int, cell: Path) -> None:
    """Verifying, where every image is missing: no hash."""
    found = sum(1 for _ in inspect(CellFolder(cell, INPUTS, gallery_size=K)))
    assert found == K * (count - -(-count // MISSING))


def hashing(count: int, cell: Path) -> None:
    """Verifying IMAGES galleries."""
    (finding,) = inspect(CellFolder(cell, INPUTS, gallery_size=K))
    assert finding.kind == "stale"


def scores(count: int, file: Path) -> None:
    """Reading the score rows of one metric."""
    assert len(read(file)) == count


def table(count: int, file: Path) -> None:
    """The table of two methods by one metric, read from their score rows."""
    rows = list(read(file).values())
    found = pd.concat([frame(rows, label=label, seed=0) for label in ("iid", "repulsive")])
    columns = {"L2": Column("L2", "higher", 3)}
    baselines = {"repulsive": "iid"}
    spec = TableSpec("scaling", "", ("iid", "repulsive"), columns, baselines, None, jobs=count)
    build(spec, found, paper_model="tiny")
