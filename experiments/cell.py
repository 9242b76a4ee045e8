"""A cell: one method over all prompts of a task. It knows what is missing, makes and scores it."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch
from tqdm import tqdm

from coupling import Coupling
from experiments.errors import UsageError
from experiments.generate import generate
from experiments.models.model import Model
from experiments.score import score
from experiments.store import GalleryStore
from experiments.tasks import Job
from metrics import MetricSuite


@dataclass(frozen=True)
class Cell:
    """One method: what it makes, from what, and where it lies.

    Attributes:
        label: the row of a table that the cell fills.
        load_model: called only if a gallery is missing.
        score_file: where its score rows are, JSON lines.
    """

    label: str
    jobs: list[Job]
    coupling: Coupling
    seed: int
    galleries_per_batch: int
    load_model: Callable[[], Model]
    suite: MetricSuite
    store: GalleryStore
    score_file: Path

    def missing(self) -> list[Job]:
        """The jobs that no committed gallery answers."""
        committed = self.store.committed()
        return [job for job in self.jobs if job.id not in committed]

    def generate(self) -> None:
        """Generates and commits what is missing."""
        if not self.missing():
            return
        model = self.load_model()
        try:
            self.coupling.sample(model.noise_shape, seed=self.seed)
        except ValueError as error:  # its projection is made for another model's noise
            raise UsageError(f"coupling: {error}") from error
        made_with = provenance(model.device)
        with self.store:
            missing = self.missing()  # again, now that nobody else can commit
            galleries = generate(
                model,
                self.coupling,
                missing,
                seed=self.seed,
                galleries_per_batch=self.galleries_per_batch,
            )
            for gallery in tqdm(galleries, desc=self.label, total=len(missing), unit="gallery"):
                self.store.commit(gallery, made_with=made_with)

    def score(self) -> pd.DataFrame:
        """One row per gallery and metric; scores only what has no current score yet."""
        rows = score(self.store, self.suite, [job.id for job in self.jobs], file=self.score_file)
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
