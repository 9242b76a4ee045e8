"""The ways to make galleries that are compared. Every arm goes from prompts to PNG files on disk.

An arm draws the same coupled noises for the same jobs from weights of its own copy, so that arms of
different memory formats and compilations can take turns in one process.
"""

import shutil
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from coupling import repulsive
from experiments.galleries.folder import CellFolder
from experiments.galleries.manifest import Failure
from experiments.galleries.writer import writing
from experiments.methods.coupled import Coupled
from experiments.methods.method import Stopwatch
from experiments.models.condition import repeat_rows
from experiments.models.held import Held
from experiments.models.model import Model
from experiments.models.quiet import quiet
from experiments.tasks.job import Job
from experiments.workers.batch import Recipe
from experiments.workers.dispatch import dispatch
from experiments.workers.lanes import in_lanes
from experiments.workers.local import LocalWorkers

SIZE, SEED = 3, 0
LAW = repulsive(SIZE)
"""What every arm draws its noises from."""


@dataclass(frozen=True, kw_only=True)
class Arm(ABC):
    """One way to make galleries.

    Attributes:
        label: what it is, for the table.
        model: whose settings and noise's shape count.
        compiled: whether its first batch takes longer, to compile.
        is_ours: whether it is this project's own.
    """

    label: str
    model: Model
    compiled: bool = False
    is_ours: ClassVar[bool]

    @abstractmethod
    def run(self, jobs: Sequence[Job], folder: Path) -> Mapping[str, float]:
        """Makes the files galleries/JOB/0.png, ...; returns seconds by stage, over all of them."""

    @abstractmethod
    def latents(self, jobs: Sequence[Job]) -> Tensor:
        """The clean latents behind the images, (G, K, C, h, w), computed by the same path."""

    def images(self, jobs: Sequence[Job], folder: Path) -> np.ndarray:
        """What the files of `run` hold, (G, K, H, W, 3) uint8."""
        paths = [folder / "galleries" / job.id / f"{k}.png" for job in jobs for k in range(SIZE)]
        images = np.stack([np.asarray(Image.open(path)) for path in paths])
        return images.reshape(len(jobs), SIZE, *images.shape[1:])

    def noise(self, job: Job) -> Tensor:
        """The noises of a gallery, (K, C, h, w), float32 on the CPU."""
        return LAW.sample(self.model.noise_shape, seed=SEED, job=job.id)


@dataclass(frozen=True, kw_only=True)
class PlainLoop(Arm):
    """What a user of diffusers writes: a pipeline call and `image.save` for each prompt.

    Attributes:
        images_per_call: K, or fewer to see what the shape of a batch does to the last bits.
    """

    pipeline: Any  # a DiffusionPipeline, whose classes have no types
    images_per_call: int
    is_ours: ClassVar[bool] = False

    def run(self, jobs: Sequence[Job], folder: Path) -> Mapping[str, float]:
        timed = Stopwatch(self.model.device)
        shutil.rmtree(folder, ignore_errors=True)
        for job in jobs:
            with timed("pipeline"):
                images = self._call(job, output_type="pil")
            with timed("write"):
                gallery = folder / "galleries" / job.id
                gallery.mkdir(parents=True)
                for member, image in enumerate(images):
                    image.save(gallery / f"{member}.png")
        return timed.seconds

    def latents(self, jobs: Sequence[Job]) -> Tensor:
        made = [torch.stack(self._call(job, output_type="latent")) for job in jobs]
        return torch.stack(made).cpu()

    def _call(self, job: Job, *, output_type: str) -> list[Any]:
        noise = self.noise(job).to(self.model.device, self.pipeline.vae.dtype)
        made: list[Any] = []
        with torch.inference_mode(), quiet():  # SDXL's casts its decoder at every call, and says so
            for latents in noise.split(self.images_per_call):
                made += self.pipeline(
                    prompt=job.prompt,
                    num_images_per_prompt=self.images_per_call,
                    latents=latents,
                    num_inference_steps=self.model.process.num_steps,
                    guidance_scale=self.model.guidance,
                    height=self.model.image_size,
                    width=self.model.image_size,
                    output_type=output_type,
                ).images
        return made


@dataclass(frozen=True, kw_only=True)
class Suite(Arm):
    """What this project does: batches in lanes, and commits, with hashes, metadata and statistics
    of the noises beside every image, flushed to the disk.

    Attributes:
        lanes: how many batches at once, of one thread each.
    """

    galleries_per_batch: int
    lanes: int
    is_ours: ClassVar[bool] = True

    def run(self, jobs: Sequence[Job], folder: Path) -> Mapping[str, float]:
        timed, seconds = Stopwatch(self.model.device), defaultdict[str, float](float)
        shutil.rmtree(folder, ignore_errors=True)
        workers = LocalWorkers(
            galleries_per_batch=self.galleries_per_batch, threads=1, retries=0, lanes=self.lanes
        )
        method, inputs = Coupled(LAW, None), {"bench": self.label}
        recipe = Recipe(method, SEED, inputs, Held(self.model))
        cell = CellFolder(folder, inputs, gallery_size=SIZE)
        with writing(cell) as writer:
            for outcome in dispatch(workers, recipe, {range(SIZE): jobs}):
                if isinstance(outcome, Failure):
                    raise RuntimeError(outcome.error)
                with timed("write"):
                    entry = writer.commit(outcome)
                for stage, taken in entry.seconds.items():
                    seconds[stage] += taken
        return {**seconds, **timed.seconds}

    def latents(self, jobs: Sequence[Job]) -> Tensor:
        size = self.galleries_per_batch
        full = [*jobs, *[jobs[-1]] * (-len(jobs) % size)]

        def sample(start: int) -> Tensor:
            batch = full[start : start + size]
            with torch.no_grad():
                condition = self.model.encode_prompts([job.prompt for job in batch])
                noise = torch.cat([self.noise(job) for job in batch])
                return self.model.sample(noise, repeat_rows(condition, SIZE))

        batches = in_lanes(sample, range(0, len(full), size), lanes=self.lanes, threads=1)
        return torch.cat(list(batches)).unflatten(0, (len(full), SIZE))[: len(jobs)].cpu()
