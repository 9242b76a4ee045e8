"""What is measured, one thing after the other; what teaches most comes first.

The reference, and what rounding does to it; each arm once, with its pictures; then further rounds,
in which the arms take turns (A B C, C B A, ...), so that a slow moment falls on all of them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch

from experiments.bench import compare, ladder
from experiments.bench.arms import LAW, SIZE, Arm
from experiments.bench.gate import Deviation, deviation, failures, step_rounding
from experiments.bench.ledger import Ledger, Line
from experiments.bench.overhead import overhead
from experiments.bench.probes import arithmetic_peak, gallery_flops
from experiments.bench.subject import Subject
from metrics import GalleryBatch

COMPILING = 120.0  # seconds, expected of an arm that nobody has compiled yet


@dataclass(frozen=True)
class Task:
    """Something to measure: its key in the ledger, and how."""

    key: Line
    work: Callable[[], Line]

    def __str__(self) -> str:
        return " ".join(str(value) for value in self.key.values())


@dataclass
class Bench:
    subject: Subject
    ledger: Ledger
    scratch: Path
    warm: set[str] = field(default_factory=set)  # arms that have run here

    def tasks(self, rounds: int) -> Iterator[Task]:
        """All that is to be measured, what teaches most first."""
        of = self.subject
        reference, *others = [name for name in ladder.TAUGHT if name in of.arms]
        by_shape, *scale = of.yardsticks
        yield Task({"what": "hardware"}, self.hardware)
        yield self._round(reference, 0)
        yield self._pictures(by_shape)
        for name in others:
            yield self._round(name, 0)
            yield self._pictures(name)
        for turn in range(1, rounds):
            for name in list(of.arms)[:: -1 if turn % 2 else 1]:
                yield self._round(name, turn)
        for name in (reference, *scale):
            yield self._pictures(name)
        yield Task({"what": "overhead"}, self.overhead)

    def expected(self, task: Task) -> float:
        """Seconds that a task takes, by what its arm or the reference took before."""
        name = task.key.get("arm", ladder.REFERENCE)
        known = [*self.ledger.of("round", arm=ladder.REFERENCE), *self.ledger.of("round", arm=name)]
        seconds = known[-1]["seconds"] * len(self.subject.jobs) if known else 0.0
        arm = self.subject.arms.get(name)
        if arm and arm.compiled and name not in self.warm:
            before = next(self.ledger.of("round", arm=name, turn=0), {})
            seconds += before.get("compiling", COMPILING)
        return seconds

    def hardware(self) -> Line:
        model = self.subject.model
        flops = gallery_flops(model, SIZE)
        return {"peak": arithmetic_peak(model.device, model.dtype), "flops": flops}

    def overhead(self) -> Line:
        shape = self.subject.model.noise_shape
        return {"frame": overhead(LAW, shape, self.reference[0][0], self.scratch).to_dict("index")}

    def _round(self, name: str, turn: int) -> Task:
        return Task({"what": "round", "arm": name, "turn": turn}, partial(self.timed, name))

    def _pictures(self, name: str) -> Task:
        return Task({"what": "pictures", "arm": name}, partial(self.judge, name))

    def timed(self, name: str) -> Line:
        """A round of an arm; the first here says how long it was `compiling`, in seconds."""
        of = self.subject
        run = partial(
            compare.timed, of.arms[name], folder=self.scratch / name, device=of.model.device
        )
        first = {}
        if name not in self.warm:
            jobs = of.jobs[: of.batch]
            once, again = (run(jobs)["seconds"] for _ in range(2))
            first = {"compiling": max(0.0, once - again) * len(jobs)}
            self.warm.add(name)
        return {**run(of.jobs), **first}

    def judge(self, name: str) -> Line:
        """How far an arm is from the reference; the gate judges arms of ours."""
        of = self.subject
        arm = {**of.yardsticks, **of.arms}[name]
        images, latents = self._images(name, arm), arm.latents(of.judged)
        of_images, of_latents, of_metrics = self.reference
        found = deviation(latents, images, of_latents=of_latents, of_images=of_images)
        why = []
        if arm.is_ours:
            by_shape = next(self.ledger.of("pictures", arm=next(iter(of.yardsticks))))
            why = failures(
                found,
                yardstick=Deviation(**{key: by_shape[key] for key in asdict(found)}),
                rounding=step_rounding(of.model.dtype, num_steps=of.model.process.num_steps),
                metrics=self._scores(images),
                of_metrics=of_metrics,
            )
        equal = "equal" if name in of.arms else ""
        return {**asdict(found), "gate": "; ".join(why) or equal}

    @cached_property
    def reference(self) -> tuple[np.ndarray, torch.Tensor, Mapping[str, np.ndarray]]:
        """Images, latents and scores of the reference."""
        arm = self.subject.arms[ladder.REFERENCE]
        images = self._images(ladder.REFERENCE, arm)
        return images, arm.latents(self.subject.judged), self._scores(images)

    def _scores(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """The values of each metric (G,) of images (G, K, H, W, 3)."""
        prompts = tuple(job.prompt for job in self.subject.judged)
        pictures = GalleryBatch(torch.from_numpy(images).movedim(-1, 2), prompts, prompts)
        found = self.subject.suite.score(pictures)
        return {metric: values.numpy() for metric, values in found.items()}

    def _images(self, name: str, arm: Arm) -> np.ndarray:
        if name not in self.warm:
            arm.run(self.subject.judged, self.scratch / name)
        return arm.images(self.subject.judged, self.scratch / name)
