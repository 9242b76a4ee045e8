"""What coupling and storing add to a gallery, here and projected to a paper's model.

Whoever makes galleries saves their images; what is added is the coupling, the statistics of the
noises, and of a commit everything beyond a plain save: the metadata, the hashes, the flushes, the
manifest's entry.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
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


def overhead(law: Coupling, shape: Sequence[int], images: np.ndarray, folder: Path) -> pd.DataFrame:
    """Median seconds of a gallery in the caller's thread, over REPEATS galleries.

    Lines: "here", for noises (C, h, w) and images (K, H, W, 3), and "sd15", for those of Stable
    Diffusion 1.5 at 512 px. Columns: `coupling`, beyond independent noises; `drift`, statistics of
    the noises; `save`, images as plain PNGs; `commit`, the same hashed, flushed and entered, too;
    `added`, what nobody else would have spent.
    """
    large = np.stack([np.asarray(Image.fromarray(each).resize((512, 512))) for each in images])
    here = _rounds(law, shape, images, folder / "overhead-here")
    sd15 = _rounds(law, (4, 64, 64), large, folder / "overhead-sd15")
    found = pd.DataFrame({"here": here.median(), "sd15": sd15.median()}).T
    beyond = (found["commit"] - found["save"]).clip(lower=0.0)
    return found.assign(added=found["coupling"] + found["drift"] + beyond)


def _rounds(law: Coupling, shape: Sequence[int], images: np.ndarray, folder: Path) -> pd.DataFrame:
    rounds = []
    plain = folder / "plain"
    plain.mkdir(parents=True)
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
    return pd.DataFrame(rounds)
