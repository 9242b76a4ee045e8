"""What coupling and storing add to a gallery, here and projected to a paper's model.

Whoever makes galleries saves their images; what is added is the coupling, the statistics of the
noises, and of a commit everything beyond a plain save: the metadata, the hashes, the flushes, the
manifest's row.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from PIL import Image

from coupling import Coupling, base_noise
from coupling.drift import drift
from experiments.galleries.folder import CellFolder
from experiments.galleries.gallery import Gallery, encode
from experiments.galleries.writer import writing
from experiments.tasks.job import Job

REPEATS = 8


@dataclass(frozen=True)
class Overhead:
    """Seconds of a gallery, in the caller's thread.

    Attributes:
        coupling: beyond independent noises; drift: statistics of the noises.
        commit: images as PNG, hashed, flushed and entered; save: the same images as plain PNGs.
    """

    coupling: float
    drift: float
    commit: float
    save: float

    @property
    def added(self) -> float:
        """Seconds that nobody else would have spent."""
        return self.coupling + self.drift + max(0.0, self.commit - self.save)


def measure(law: Coupling, shape: Sequence[int], images: np.ndarray, folder: Path) -> Overhead:
    """Medians over REPEATS galleries of noises (C, h, w) and images (K, H, W, 3)."""
    stages = ("couple", "drift", "commit", "save")
    seconds: dict[str, list[float]] = {stage: [] for stage in stages}

    def timed(name: str, start: float) -> None:
        seconds[name].append(perf_counter() - start)

    plain = folder / "plain"
    plain.mkdir(parents=True, exist_ok=True)
    cell = CellFolder(folder / "store", {}, gallery_size=law.size)
    with writing(cell) as writer:
        for repeat in range(REPEATS):
            base = base_noise(shape, seed=repeat, job="", members=range(law.base_size))
            start = perf_counter()
            noise = law.couple(base)
            timed("couple", start)
            start = perf_counter()
            statistics = drift(noise, law.correlation)
            timed("drift", start)
            start = perf_counter()
            for member, image in enumerate(images):
                Image.fromarray(image).save(plain / f"{repeat}-{member}.png")
            timed("save", start)
            gallery = Gallery(Job(str(repeat), ""), images, {}, {}, (), statistics)
            start = perf_counter()
            writer.commit(encode(gallery, inputs={}, made_with={}))
            timed("commit", start)
    shutil.rmtree(folder)
    found = {name: median(values) for name, values in seconds.items()}
    return Overhead(found["couple"], found["drift"], found["commit"], found["save"])


def sentences(
    here: Overhead, rate: float, projected: Overhead, *, arm: str, paper_seconds: float
) -> list[str]:
    """The arithmetic, for the report.

    Args:
        rate: galleries a second of `arm`; paper_seconds: of a gallery of SD1.5 at 512 px.
    """
    return [
        "## What coupling and storing add",
        f"Here, a gallery of {arm} takes {1e3 / rate:.0f} ms. {_sum(here)}: "
        f"{100 * here.added * rate:.2f} %.",
        f"Stable Diffusion 1.5 at 512 px, whose gallery takes the paper {paper_seconds} s: "
        f"{_sum(projected)}: {100 * projected.added / paper_seconds:.2f} %. In a lane it is done "
        "beside the next batch's denoising, and takes nothing off a GPU's time.",
    ]


def _sum(found: Overhead) -> str:
    ms = {name: f"{1e3 * value:.1f}" for name, value in vars(found).items()}
    return (
        f"Coupling {ms['coupling']} ms, statistics {ms['drift']} ms, and a commit of "
        f"{ms['commit']} ms in place of a plain save of {ms['save']} ms add "
        f"{1e3 * found.added:.1f} ms"
    )
