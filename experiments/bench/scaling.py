"""How cost grows: with the size of a gallery, with prompts, steps and lanes, and with the store.

Every curve is a list of points (x, seconds, MiB). Where only what surrounds the network is asked
about, a stub stands in for it, so that ten thousand galleries take seconds and not an hour.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import coupling
from coupling.drift import drift
from experiments import verify
from experiments.bench.arms import Suite
from experiments.bench.probes import peak_memory, reset_peak_memory
from experiments.galleries.archive import cell_key
from experiments.galleries.folder import CellFolder
from experiments.galleries.gallery import Gallery, encode
from experiments.models.model import Condition, Model
from experiments.models.process import DDIM
from experiments.tables import table as tables
from experiments.tables.spec import TableSpec
from experiments.tasks.job import Job, jobs_of

SHAPE = (4, 16, 16)
SPEC = TableSpec(
    name="scaling",
    title="",
    rows=("iid", "coupled"),
    columns={"l2": {"label": "L2", "better": "higher", "digits": 3}},
    baselines={"coupled": "iid"},
    paper=None,
    jobs=2,
)


@dataclass(frozen=True)
class Point:
    """One measurement: `seconds` for `x` of whatever the curve counts; MiB at the peak."""

    curve: str
    x: float
    seconds: float
    memory: float


class Stub(Model):
    """A model that makes grey noise in no time, of the bundled model's shapes."""

    parts = ()

    def __init__(self, num_steps: int = 1) -> None:
        super().__init__(
            modules=(torch.nn.Linear(1, 1),),
            process=DDIM((1,) * num_steps, *(((0.5,) * num_steps,) * 3), "epsilon", None),
            guidance=1.0,
            image_size=64,
            noise_shape=SHAPE,
            identity={"name": "stub"},
        )

    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        return {}

    def network(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        return x

    def decode(self, latents: Tensor) -> Tensor:
        return latents[:, :3].repeat_interleave(4, -1).repeat_interleave(4, -2).clamp(0, 1)

    def encode_images(self, images: Tensor) -> Tensor:
        raise NotImplementedError("a stub has no way back")


def measured(curve: str, x: float, work: Callable[[], object]) -> Point:
    """A point: what `work` takes."""
    device = torch.device("cpu")
    reset_peak_memory(device)
    start = perf_counter()
    work()
    return Point(curve, x, perf_counter() - start, peak_memory(device))


def galleries(
    curve: str, x: float, model: Model, folder: Path, *, size: int, prompts: int, batch: int = 8,
    lanes: int = 1,
) -> Point:  # fmt: skip
    """A point: `prompts` galleries of `size` images, from prompts to committed files."""
    suite = Suite("", model, coupling.repulsive(size), 0, batch, lanes)
    jobs = jobs_of([f"a bedroom, the {k}th" for k in range(prompts)])
    point = measured(curve, x, lambda: suite.run(jobs, folder))
    shutil.rmtree(folder)
    return point


def by_size(model: Model, folder: Path, sizes: Sequence[int]) -> list[Point]:
    """K: seconds of one gallery; what surrounds the network alone, and with `model`."""
    return [
        point
        for size in sizes
        for point in (
            galleries("K, stub", size, Stub(), folder, size=size, prompts=1, batch=1),
            galleries("K, model", size, model, folder, size=size, prompts=1, batch=1),
        )
    ]


def by_prompts(folder: Path, counts: Sequence[int]) -> list[Point]:
    """Seconds of all galleries, the network stubbed."""
    return [
        galleries("prompts, stub", count, Stub(), folder, size=2, prompts=count) for count in counts
    ]


def by_steps(models: Mapping[int, Model], folder: Path) -> list[Point]:
    """Seconds of a batch of eight galleries by the sampler's steps."""
    return [
        galleries("steps, model", steps, model, folder, size=3, prompts=8)
        for steps, model in models.items()
    ]


def by_lanes(model: Model, folder: Path, lanes: Sequence[int]) -> list[Point]:
    """Seconds of 32 galleries by lanes."""
    return [
        galleries("lanes, model", count, model, folder, size=3, prompts=32, lanes=count)
        for count in lanes
    ]


def store(folder: Path, counts: Sequence[int], *, appended: int = 200) -> list[Point]:
    """The store and the tables at the given numbers of galleries, committed ones but synthetic.

    append        `appended` galleries more, through the ordinary path
    resume scan   what a run asks before it starts: which galleries are there
    verify        every file hashed
    table         score rows of two methods read, and tested against each other
    """
    return [point for count in counts for point in _store(folder, count, appended)]


def _store(folder: Path, count: int, appended: int) -> list[Point]:
    law = coupling.repulsive(2)
    inputs = {"model": {"name": "stub"}, "synthetic": count}
    cell = folder / f"stub-repulsive-{cell_key(inputs)}"
    jobs = [Job(f"{k:012x}", f"a bedroom, the {k}th") for k in range(count + appended)]
    images = np.zeros((2, 8, 8, 3), np.uint8)
    images[1] = 255
    noise = drift(law.sample(SHAPE, seed=0), law.correlation)
    pattern = Gallery(jobs[0], images, {"denoise": 0.1}, {"sample": 50}, (), noise)
    _fill(cell, encode(pattern, inputs=inputs, made_with={}), jobs[:count], inputs)
    scores = folder / "scores.jsonl"
    _score(scores, jobs[:count])

    def append() -> None:
        with CellFolder(cell, inputs, gallery_size=2).writing() as writer:
            for job in jobs[count:]:
                gallery = replace(pattern, job=job)
                writer.commit(encode(gallery, inputs=inputs, made_with={}))

    def resume() -> None:
        present = CellFolder(cell, inputs, gallery_size=2).committed()
        assert len(present) == count

    def table() -> None:
        rows = pd.DataFrame(json.loads(line) for line in scores.read_text().splitlines())
        tables.build(SPEC, rows, paper_model="stub")

    points = [
        measured("resume scan", count, resume),
        measured("verify", count, lambda: verify.verify(folder, repair=False)),
        measured("table", count, table),
        measured("append", count, append),
    ]
    shutil.rmtree(folder)
    return points


def _fill(cell: Path, pattern, jobs: Sequence[Job], inputs: Mapping) -> None:
    """A cell with a gallery for each job, all of the same files, without a flush for each."""
    (cell / "galleries").mkdir(parents=True)
    (cell / "cell.json").write_text(json.dumps(inputs))
    with (cell / "manifest.jsonl").open("w", encoding="utf-8") as manifest:
        fields = asdict(pattern.entry)
        for job in jobs:
            line = {**fields, "job": job.id, "prompt": job.prompt}
            manifest.write(json.dumps(line, sort_keys=True) + "\n")
            place = cell / "galleries" / job.id
            place.mkdir()
            for member, data in enumerate(pattern.files):
                (place / f"{member}.png").write_bytes(data)


def _score(file: Path, jobs: Sequence[Job]) -> None:
    """Score rows of two methods, as a run leaves them."""
    rng = np.random.default_rng(0)
    with file.open("w", encoding="utf-8") as out:
        for row in ("iid", "coupled"):
            for job, value in zip(jobs, rng.random(len(jobs)), strict=True):
                line = {
                    "row": row,
                    "job": job.id,
                    "prompt": job.prompt,
                    "metric": "l2",
                    "value": value,
                    "gallery": hashlib.sha256(job.id.encode()).hexdigest()[:16],
                    "implementation": "metrics.scorers.PairwiseL2",
                    "weights": "none",
                    "library": "torch",
                    "dtype": "float64",
                    "device": "cpu",
                }
                out.write(json.dumps(line) + "\n")
