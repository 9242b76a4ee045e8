"""The ways to make galleries that are compared. Every arm goes from prompts to PNG files on disk.

An arm draws the same coupled noises for the same jobs from weights of its own copy, so that arms of
different memory formats and compilations can take turns in one process.

PlainLoop    what a user of diffusers writes: a pipeline call and `image.save` for each prompt
Suite        what this project does: generation in batches and lanes, and commits: hashes,
             metadata and statistics of the noises beside every image, flushed to the disk
"""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Protocol

import numpy as np
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from torch import Tensor

from coupling import Coupling
from experiments.galleries.folder import CellFolder
from experiments.methods.coupled import Coupled
from experiments.models.model import Condition, Model, repeat_rows
from experiments.tasks.job import Job
from experiments.workers.dispatch import Made, dispatch
from experiments.workers.lanes import in_lanes
from experiments.workers.local import LocalWorkers
from experiments.workers.recipe import Recipe


class Arm(Protocol):
    """One way to make galleries.

    Attributes:
        label: what it is, for the table.
    """

    label: str

    def run(self, jobs: Sequence[Job], folder: Path) -> Mapping[str, float]:
        """Makes the galleries' files; returns seconds by stage, over all of them."""

    def latents(self, jobs: Sequence[Job]) -> Tensor:
        """The clean latents behind the images, (G, K, C, h, w), computed by the same path."""

    def images(self, jobs: Sequence[Job], folder: Path) -> np.ndarray:
        """What the files of `run` hold, (G, K, H, W, 3) uint8."""


PIPELINE_NAMES = {
    "encoder_hidden_states": "prompt_embeds",
    "text_embeds": "pooled_prompt_embeds",
    "pooled_projections": "pooled_prompt_embeds",
}
"""What a pipeline calls the conditions of our models."""


@dataclass(frozen=True)
class PlainLoop:
    """A diffusers pipeline called for one prompt after another.

    Attributes:
        model: whose settings and noise's shape the calls take.
        embedded: gives the prompts' embeddings, for a pipeline without text encoders.
        images_per_call: K, or fewer to see what the shape of a batch does to the last bits.
    """

    label: str
    pipeline: DiffusionPipeline
    model: Model
    coupling: Coupling
    seed: int
    embedded: bool
    images_per_call: int

    def run(self, jobs: Sequence[Job], folder: Path) -> Mapping[str, float]:
        seconds: Counter[str] = Counter()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for job in jobs:
            start = perf_counter()
            images = self._call(job, output_type="pil")
            made = perf_counter()
            for member, image in enumerate(images):
                image.save(folder / f"{job.id}-{member}.png")
            seconds.update(pipeline=made - start, write=perf_counter() - made)
        return dict(seconds)

    def latents(self, jobs: Sequence[Job]) -> Tensor:
        made = [torch.stack(self._call(job, output_type="latent")) for job in jobs]
        return torch.stack(made).cpu()

    def images(self, jobs: Sequence[Job], folder: Path) -> np.ndarray:
        paths = [[folder / f"{job.id}-{k}.png" for k in range(self.coupling.size)] for job in jobs]
        return np.stack([np.stack([np.asarray(Image.open(path)) for path in row]) for row in paths])

    def _call(self, job: Job, *, output_type: str) -> list:
        noise = self.coupling.sample(self.model.noise_shape, seed=self.seed, job=job.id)
        noise = noise.to(self.model.device, self.pipeline_dtype)
        made: list = []
        with torch.inference_mode():
            for start in range(0, self.coupling.size, self.images_per_call):
                made += self.pipeline(
                    **self._prompt(job.prompt),
                    latents=noise[start : start + self.images_per_call],
                    num_inference_steps=self.model.process.num_steps,
                    guidance_scale=self.model.guidance,
                    height=self.model.image_size,
                    width=self.model.image_size,
                    output_type=output_type,
                ).images
        return made

    @property
    def pipeline_dtype(self) -> torch.dtype:
        return self.pipeline.vae.dtype

    def _prompt(self, prompt: str) -> dict[str, str | int | Tensor]:
        if not self.embedded:
            return {"prompt": prompt, "num_images_per_prompt": self.images_per_call}

        def named(prefix: str, condition: Condition) -> dict[str, Tensor]:
            # a row an image: the pipeline of SD3 repeats no embeddings that it is given
            rows = repeat_rows(condition, self.images_per_call)
            kept = PIPELINE_NAMES.keys() & rows.keys()
            return {
                prefix + PIPELINE_NAMES[name]: rows[name].to(self.pipeline_dtype) for name in kept
            }

        condition, null = self.model.encode_prompts([prompt]), self.model.null_condition
        return named("", condition) | named("negative_", null)


@dataclass(frozen=True)
class Loaded:
    """A source (see `recipe.ModelSource`) of a model that is there already."""

    model: Model

    def load(self) -> Model:
        return self.model


@dataclass(frozen=True)
class Suite:
    """This project's own path, from jobs to committed galleries.

    Attributes:
        lanes: how many batches at once, of one thread each.
    """

    label: str
    model: Model
    coupling: Coupling
    seed: int
    galleries_per_batch: int
    lanes: int

    def run(self, jobs: Sequence[Job], folder: Path) -> Mapping[str, float]:
        shutil.rmtree(folder, ignore_errors=True)
        seconds: Counter[str] = Counter()
        workers = LocalWorkers(
            galleries_per_batch=self.galleries_per_batch,
            threads=1,
            retries=0,
            lanes=self.lanes,
        )
        recipe = Recipe(
            method=Coupled(self.coupling, None),
            seed=self.seed,
            inputs={"bench": self.label},
            model=Loaded(self.model),
        )
        lacking = {range(self.coupling.size): jobs}
        with self._store(folder).writing() as writer:
            for outcome in dispatch(workers, recipe, lacking):
                if not isinstance(outcome, Made):
                    raise RuntimeError(outcome.error)
                seconds.update(outcome.gallery.entry.seconds)
                start = perf_counter()
                writer.commit(outcome.gallery)
                seconds["write"] += perf_counter() - start
        return dict(seconds)

    def latents(self, jobs: Sequence[Job]) -> Tensor:
        size, K = self.galleries_per_batch, self.coupling.size
        full = [*jobs, *[jobs[-1]] * (-len(jobs) % size)]

        def sample(start: int) -> Tensor:
            batch = full[start : start + size]
            shape = self.model.noise_shape
            noise = [self.coupling.sample(shape, seed=self.seed, job=job.id) for job in batch]
            with torch.no_grad():
                condition = self.model.encode_prompts([job.prompt for job in batch])
                return self.model.sample(torch.cat(noise), repeat_rows(condition, K))

        starts = range(0, len(full), size)
        batches = in_lanes(sample, starts, lanes=self.lanes, threads=1)
        return torch.cat(list(batches)).unflatten(0, (len(full), K))[: len(jobs)].cpu()

    def images(self, jobs: Sequence[Job], folder: Path) -> np.ndarray:
        store = self._store(folder)
        committed = store.committed()
        return np.stack([store.read(committed[job.id]) for job in jobs])

    def _store(self, folder: Path) -> CellFolder:
        return CellFolder(folder, {"bench": self.label}, gallery_size=self.coupling.size)
