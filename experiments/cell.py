"""A cell: one method over all prompts of a task. It knows what is missing, makes and scores it."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import pandas as pd
import torch
from tqdm import tqdm

from experiments.best import BestOf, PartOf
from experiments.errors import UsageError
from experiments.folder import Folder
from experiments.generate import Method, generate
from experiments.models.model import Model
from experiments.objects.task import ObjectJob
from experiments.score import Galleries, score, score_noise
from experiments.store import GalleryStore, ManifestRow
from experiments.tasks import Job
from metrics import ImageError, MetricSuite
from metrics.weights import WeightsError


@dataclass(frozen=True)
class Recipe:
    """How galleries are made. The model loads only if one is missing."""

    method: Method
    seed: int
    galleries_per_batch: int
    load_model: Callable[[], Model]


@dataclass(frozen=True)
class Cell:
    """One method: what it makes, how, and where it lies.

    Attributes:
        label: the row of a table that the cell fills.
        keep: how many images of a gallery are shown and scored, the most diverse; None for all.
        galleries: ours, or a folder of somebody else's.
        recipe: None for a folder, to which nothing is ever added.
        score_file: where its score rows are, JSON lines.
        part: which of the images stand for the gallery, where a method makes it more than once;
            None for all.
        notes: what a reader of its scores must know of the jobs, a sentence each.
    """

    label: str
    jobs: list[Job]
    keep: int | None
    galleries: GalleryStore | Folder
    recipe: Recipe | None
    suite: MetricSuite
    score_file: Path
    part: slice | None = None
    notes: tuple[str, ...] = ()

    def missing(self) -> list[Job]:
        """The jobs that no committed gallery answers."""
        committed = self.galleries.committed()
        return [job for job in self.jobs if job.id not in committed]

    def committed_rows(self) -> list[ManifestRow]:
        """The manifest's rows of our own galleries, in the order of the jobs; all must be there."""
        committed = self.galleries.committed()
        return [committed[job.id] for job in self.jobs]

    def prepare(self) -> None:
        """Loads the model and has the metrics' weights here, so that no run fails halfway.

        Raises:
            UsageError: the model cannot be had; or weights of the metrics, a line for each.
        """
        if self.missing():
            self.recipe.load_model()
            try:
                self.suite.prepare()
            except WeightsError as error:
                raise UsageError(str(error)) from error

    def generate(self) -> None:
        """Generates and commits what is missing."""
        if not self.missing():
            return
        model = self.recipe.load_model()
        self.recipe.method.check(model)
        made_with = provenance(model.device)
        with self.galleries as store:
            missing = self.missing()  # again, now that nobody else can commit
            made = chain.from_iterable(
                generate(
                    model,
                    self.recipe.method,
                    jobs,
                    seed=self.recipe.seed,
                    galleries_per_batch=self.recipe.galleries_per_batch,
                    members=members,
                )
                for members, jobs in store.lacking(missing).items()
            )
            for gallery in tqdm(made, desc=self.label, total=len(missing), unit="gallery"):
                store.commit(gallery, made_with=made_with)

    @property
    def shown(self) -> Galleries:
        """What is scored and put in pictures: the galleries, the best of each, or a part."""
        if self.part:
            return PartOf(self.galleries, self.part)
        return BestOf(self.galleries, self.keep) if self.keep else self.galleries

    def score(self) -> pd.DataFrame:
        """One row per gallery and metric; scores only what has no current score yet.

        Metrics are those of the suite, and what the manifest tells of our own galleries: passes,
        losses, and the drift of the noises.

        Raises:
            UsageError: weights cannot be had, or an image is damaged, constant or no picture.
        """
        jobs = [job.id for job in self.jobs]
        try:
            known = {job.id: job.picture for job in self.jobs if isinstance(job, ObjectJob)}
            rows = score(self.shown, self.suite, jobs, file=self.score_file, known=known)
        except (WeightsError, ImageError) as error:
            raise UsageError(str(error)) from error
        if self.recipe is not None:
            made = [line for row in self.committed_rows() for line in score_noise(row)]
            rows = pd.concat([rows, pd.DataFrame(made)])
        return rows.assign(row=self.label)


def provenance(device: torch.device) -> dict[str, str]:
    """The libraries and the device that images are made with."""
    libraries = {name: version(name) for name in ("torch", "diffusers", "transformers")}
    processor = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {**libraries, "device": f"{device.type}: {processor}"}


def _processor() -> str:
    """The processor's name where the system tells it, its architecture elsewhere."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} threads" if names else platform.machine()
