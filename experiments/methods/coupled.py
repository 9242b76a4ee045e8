"""Galleries from coupled noises: base noise -> coupling -> optimiser -> sampler, steered -> images.

An optimiser looks at the first step as it is without steering.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from coupling import base_noise
from coupling.optimizers.base import Denoiser, Judge, NoiseOptimizer, couple
from coupling.steering import Course, Steered, Steering
from experiments.errors import UsageError
from experiments.galleries.gallery import Gallery
from experiments.methods.method import Method, Stopwatch, base_noises
from experiments.models.condition import Condition, repeat_rows
from experiments.models.model import Model
from experiments.models.pixels import to_uint8
from experiments.models.process import Process
from experiments.tasks.job import Job


@dataclass(frozen=True)
class Coupled(Method[Job]):
    """The paper's method, and with an iid coupling everybody's.

    The noise of a gallery is a function of (seed, job, coupling, optimizer, model) alone, and
    without an optimiser of the first three.
    """

    optimizer: NoiseOptimizer | None
    steering: Steering | None = None

    around_objects: ClassVar[bool] = False

    def __post_init__(self) -> None:
        try:
            if self.optimizer:
                self.optimizer.base_size(self.coupling)
        except ValueError as error:
            raise UsageError(f"optimizer: {error}") from error
        try:
            if self.steering:
                self.steering.require(self.coupling.size)
        except ValueError as error:
            raise UsageError(f"steering: {error}") from error

    def prepare(self) -> None:
        if judge := getattr(self.optimizer, "judge", None):
            judge.prepare()

    def differentiated(self, galleries: int) -> int:
        through = getattr(self.optimizer, "through_network", False)
        return galleries * self.coupling.size if through else 0

    def check(self, model: Model, jobs: Sequence[Job]) -> None:
        """Raises UsageError, too, for an optimiser that this model or gallery size is not for: it
        is tried on a gallery of a network that always says 0.
        """
        seen = self._seen(model)
        super().check(seen, jobs)
        if steered := self._steered(seen, jobs, 0, range(self.size)):
            try:
                with steered.attached(0, seen.modules[0]):
                    pass
            except ValueError as error:
                raise UsageError(f"steering: {error}") from error
        if not self.optimizer:
            return
        self._try(self.optimizer, model.noise_shape, Untrained(seen.process))

    def cost(self, model: Model) -> tuple[dict[str, int], int] | None:
        """By a network that always says 0."""
        seen = self._seen(model)
        first = Untrained(seen.process)
        if self.optimizer:
            self._try(self.optimizer, seen.noise_shape, first)
        steered = self._steered(seen, (), 0, range(self.size))
        return _cost(seen, steered, first.passes, images=self.size)

    def _try(self, optimizer: NoiseOptimizer, shape: Sequence[int], first: Denoiser) -> None:
        count = optimizer.base_size(self.coupling)
        base = base_noise(shape, seed=0, members=range(count)).unsqueeze(0)
        try:
            for _ in optimizer.optimize(base, self.coupling, first):
                pass
        except ValueError as error:
            raise UsageError(f"optimizer: {error}") from error

    def _seen(self, model: Model) -> Model:
        return model.shifted() if self.optimizer and self.optimizer.shifts else model

    @torch.no_grad()
    def make(
        self, model: Model, jobs: Sequence[Job], *, seed: int, members: range
    ) -> list[Gallery]:
        model, timed = self._seen(model), Stopwatch(model.device)
        prompts = [job.prompt for job in jobs]
        with timed("encode"):
            condition = model.encode_prompts(prompts)
        most = len(jobs) * self.coupling.size
        first = FirstStep(model, condition, prompts, rows_per_pass=most)
        noise, losses = self._noises(model, jobs, first, timed, seed=seed)
        started = noise[:, members.start : members.stop].flatten(0, 1)
        rows = repeat_rows(condition, len(members))
        steered = self._steered(model, jobs, seed, members)
        with timed("denoise"):
            latents = model.sample(started, rows, steered=steered)
        with timed("decode"):
            pixels = to_uint8(model.decode(latents)).cpu()
        each = {kind: count // len(jobs) for kind, count in first.passes.items()}
        passes, taken = _cost(model, steered, each, images=len(members))
        return self.galleries(
            jobs,
            pixels.unflatten(0, (len(jobs), len(members))),
            noise[:, : members.stop],  # of a plan, the members that there are by now
            losses,
            first=members.start,
            seconds=timed.seconds,
            passes=passes,
            rows=taken,
        )

    def _noises(
        self, model: Model, jobs: Sequence[Job], first: Denoiser, timed: Stopwatch, *, seed: int
    ) -> tuple[Tensor, Tensor]:
        """What the sampler starts from, (G, K, C, h, w), and the optimiser's losses (G, steps)."""
        coupling, optimizer = self.coupling, self.optimizer
        with timed("couple"):
            count = optimizer.base_size(coupling) if optimizer else coupling.base_size
            base = base_noises(model, jobs, seed=seed, count=count)
            if not optimizer:
                return couple(base, coupling), torch.empty(len(jobs), 0)
        with timed("optimize"):
            states = list(optimizer.optimize(base, coupling, first))
        return states[-1].noise, torch.stack([state.loss for state in states], dim=1)

    def _steered(
        self, model: Model, jobs: Sequence[Job], seed: int, members: range
    ) -> Steered | None:
        if not self.steering:
            return None
        if self.steering.hooked and model.execution.compiled:
            raise UsageError("compiled networks call no hooks of steering: use execution=eager")
        names = [job.id for job in jobs]
        course = Course(model.process.levels, model.guidance, seed, names, members)
        return Steered(self.steering, course)


def _cost(
    model: Model, steered: Steered | None, passes: Mapping[str, int], *, images: int
) -> tuple[dict[str, int], int]:
    """Of a gallery, its guided passes and its network rows, from `passes` of its optimiser."""
    steps = range(model.process.num_steps)
    scales = [steered.guidance(step) if steered else model.guidance for step in steps]
    sampled = sum(map(model.rows_per_image, scales)) * images
    rows = sampled + model.rows_per_image(model.guidance) * sum(passes.values())
    return {"sample": len(steps) * images, **passes}, rows


def _counted(passes: Counter[str], noise: Tensor, *, checkpointed: bool = False) -> bool:
    """Counts the passes of noises (G, n, ...); whether they are to be computed again."""
    rows = noise.shape[0] * noise.shape[1]
    differentiated = torch.is_grad_enabled() and noise.requires_grad
    again = checkpointed and differentiated
    passes["forward"] += rows * (2 if again else 1)
    passes["backward"] += rows if differentiated else 0
    return again


@dataclass(frozen=True)
class Untrained:
    """A sampler as noise optimisers see it, with a network that always says 0, and so no images.

    `passes` are those that a trained one would take, as of a `FirstStep`.
    """

    process: Process
    passes: Counter[str] = field(default_factory=Counter)

    @property
    def num_steps(self) -> int:
        return self.process.num_steps

    def output(self, noise: Tensor, *, checkpointed: bool = False) -> Tensor:
        _counted(self.passes, noise, checkpointed=checkpointed)
        return torch.zeros_like(noise)

    def branches(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        _counted(self.passes, noise)
        return torch.zeros_like(noise), torch.zeros_like(noise)

    def clean(self, noise: Tensor, output: Tensor) -> Tensor:
        return self.process.clean(noise, output, 0)

    def ahead(self, x: Tensor, step: int) -> tuple[Tensor, Tensor]:
        output = self.output(x)
        return self.process.clean(x, output, step), self.process.advance(x, output, step)

    def judged(self, clean: Tensor, judge: Judge) -> tuple[Tensor, Tensor]:
        said = clean.new_zeros(clean.shape[:2])
        return said, said.unsqueeze(-1).expand(-1, -1, clean.shape[1])


class FirstStep:
    """The sampler as noise optimisers see it, mostly its first step, for G galleries.

    A gallery's noises may be optimised together, but the network is called on at most
    `rows_per_pass` images at once, so optimising takes no more memory than sampling unless
    gradients run through it.

    Args:
        condition: one row a gallery, of `prompts`.
        rows_per_pass: the most images in one network call.

    Attributes:
        passes: guided network passes of one image, "forward" and "backward", over all galleries.
            Recomputation by checkpointing counts as forward.
    """

    def __init__(
        self, model: Model, condition: Condition, prompts: Sequence[str], *, rows_per_pass: int
    ) -> None:
        self._model = model
        self._condition = condition
        self._prompts = prompts
        self._rows_per_pass = rows_per_pass
        self.passes: Counter[str] = Counter()

    @property
    def num_steps(self) -> int:
        return self._model.process.num_steps

    def output(self, noise: Tensor, *, checkpointed: bool = False, step: int = 0) -> Tensor:
        """The guided network output at noise (G, n, C, h, w), of the same shape."""
        again = _counted(self.passes, noise, checkpointed=checkpointed)
        predict = self._model.predict
        call = partial(checkpoint, predict, use_reentrant=False) if again else predict
        outputs = [call(*arguments) for arguments in self._calls(noise, step)]
        return torch.cat(outputs).view(noise.shape)

    def branches(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs for the empty prompt and for the prompt, each of the shape of the noise."""
        _counted(self.passes, noise)
        found = [self._model.branches(*arguments) for arguments in self._calls(noise, 0)]
        null, prompted = (torch.cat(parts).view(noise.shape) for parts in zip(*found, strict=True))
        return null, prompted

    def _calls(self, noise: Tensor, step: int) -> Iterator[tuple[Tensor, int, Condition]]:
        """What a pass of each part of the rows takes."""
        rows = noise.flatten(0, 1).to(self._model.device)
        condition = repeat_rows(self._condition, noise.shape[1])
        for start in range(0, len(rows), self._rows_per_pass):
            part = slice(start, start + self._rows_per_pass)
            yield rows[part], step, {name: value[part] for name, value in condition.items()}

    def clean(self, noise: Tensor, output: Tensor) -> Tensor:
        """Tweedie's estimate, at least float32."""
        return self._model.process.clean(noise.to(output.device), output, 0)

    def ahead(self, x: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Tweedie's estimate where a step begins, and x where it ends, from x (G, n, C, h, w)."""
        x = x.to(self._model.device, self._model.dtype)
        output, process = self.output(x, step=step), self._model.process
        following = self._model.process_of(step).advance(x, output, step)
        return process.clean(x, output, step), following

    def judged(self, clean: Tensor, judge: Judge) -> tuple[Tensor, Tensor]:
        """What is said of estimates (G, n, C, h, w), decoded: (G, n) and (G, n, n)."""
        images = self._model.decode(clean.flatten(0, 1))
        return judge(images.unflatten(0, clean.shape[:2]), self._prompts)
