"""What coupling and storing add to a gallery, here and projected to a paper's model.

Whoever makes galleries saves their images; what is added is the coupling, the statistics of the
noises, and of a commit everything beyond a plain save: the metadata, the hashes, the flushes, the
manifest's entry.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image

from coupling import Coupling, base_noise
from coupling.drift import drift
from experiments.galleries.folder import CellFolder
from experiments.galleries.gallery import Gallery, encode
from experiments.galleries.writer import writing
from experiments.methods.method import Stopwatch
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


def here_and_projected(
    law: Coupling, shape: Sequence[int], images: np.ndarray, folder: Path
) -> dict[str, Overhead]:
    """For noises (C, h, w) and images (K, H, W, 3), "here", and for those of "sd15" at 512 px."""
    large = [np.asarray(Image.fromarray(image).resize((512, 512))) for image in images]
    return {
        "here": measure(law, shape, images, folder),
        "sd15": measure(law, (4, 64, 64), np.stack(large), folder),
    }


def measure(law: Coupling, shape: Sequence[int], images: np.ndarray, folder: Path) -> Overhead:
    """Medians over REPEATS galleries of noises (C, h, w) and images (K, H, W, 3)."""
    rounds = []
    plain = folder / "plain"
    plain.mkdir(parents=True, exist_ok=True)
    with writing(CellFolder(folder / "store", {}, gallery_size=law.size)) as writer:
        for repeat in range(REPEATS):
            timed = Stopwatch(torch.device("cpu"))
            base = base_noise(shape, seed=repeat, job="", members=range(law.base_size))
            with timed("coupling"):
                noise = law.couple(base)
            with timed("drift"):
                statistics = drift(noise, law.correlation)
            with timed("save"):
                for member, image in enumerate(images):
                    Image.fromarray(image).save(plain / f"{repeat}-{member}.png")
            gallery = Gallery(Job(str(repeat), ""), images, {}, {}, (), statistics)
            with timed("commit"):
                writer.commit(encode(gallery, inputs={}, made_with={}))
            rounds.append(timed.seconds)
    shutil.rmtree(folder)
    return Overhead(**{stage: median(seconds[stage] for seconds in rounds) for stage in rounds[0]})
