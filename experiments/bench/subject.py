"""What is compared: a model, diffusers' own pipeline of the same weights, and galleries of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import torch

from experiments.bench import ladder
from experiments.bench.arms import SIZE, Arm, PlainLoop
from experiments.bench.ledger import Line
from experiments.models.model import Model
from experiments.tasks.job import Job
from experiments.workers.provenance import provenance
from metrics import MetricSuite


@dataclass(frozen=True)
class Subject:
    """What is compared.

    Attributes:
        pipeline: diffusers' own, with the model's weights.
        jobs: the galleries of every round.
        batch: galleries in a device batch of ours.
        without: names of arms that are left out.
    """

    model: Model
    pipeline: Any
    jobs: Sequence[Job]
    suite: MetricSuite
    batch: int
    without: Sequence[str] = ()

    @property
    def judged(self) -> Sequence[Job]:
        """The jobs whose pictures are compared."""
        return self.jobs[: 2 * self.batch]

    @cached_property
    def arms(self) -> dict[str, Arm]:
        """Theirs and ours, in the order of the table."""
        theirs = ladder.diffusers_arms(self.pipeline, self.model)
        ours = ladder.our_arms(self.model, batch=self.batch)
        arms = {**theirs, **ours}
        return {name: arm for name, arm in arms.items() if name not in self.without}

    @cached_property
    def yardsticks(self) -> dict[str, Arm]:
        return dict(ladder.yardstick_arms(cast(PlainLoop, self.arms[ladder.REFERENCE])))

    def setup(self) -> Line:
        """What measurements must have in common to stand in one table, as JSON values."""
        model = self.model
        return {
            "what": "setup",
            "settings": f"{len(self.jobs)} galleries of {SIZE} images at {model.image_size} px, "
            f"{model.process.num_steps} steps, guidance {model.guidance:g}",
            "batch": self.batch,
            "made_with": dict(provenance(model.device)),
            "dtype": str(model.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
        }
