"""What acts during sampling, as a slot.

At each of its steps t the sampler has x_t, a condition y (embeddings of the prompt), a guidance
scale s and, from the network's output, Tweedie's estimate x_0(x_t). A steering may change

    guidance    s of this step; at 1 the network sees the condition alone: one row an image, not two
    condition   y of this step, an embedding an image
    push        x_0(x_t) -> x_0(x_t) + d; the sampler goes on from there, as if the network had
                predicted it: the noise estimate (or the velocity) is the one that belongs to it

    attached    what is hooked into the network's modules for this step, where a method acts there

and nothing else, so it composes with every coupling, optimiser and sampler. Tensors are
(G, K, ...): K images of each of G galleries, which never see each other. What a steering draws is a
pure function of (seed, job, member, what it is for), like base noise, from streams that neither
base noise nor growth reaches; so a run resumes, and a gallery is made again to the bit.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from coupling.noise import base_noise
from coupling.validation import require_a, require_items, require_number

FIRST_DRAW = 2**33  # beyond the streams of base noise and of growth
EMBEDDINGS = ("encoder_hidden_states", "pooled_projections", "text_embeds")
"""Of a network's condition, what is an embedding of the prompt; the rest (sizes, masks) is not."""

Rows = Mapping[str, Tensor]


@dataclass(frozen=True)
class Course:
    """The sampling of G galleries, as far as a steering knows of it.

    Attributes:
        levels: (alpha, sigma) of each step, x_t = alpha x_0 + sigma eps.
        guidance: the model's own scale.
        seed, jobs, members: of the noises; `jobs` names the G galleries.
        kept: what steerings remember of it, each by itself.
    """

    levels: Sequence[tuple[float, float]]
    guidance: float
    seed: int
    jobs: Sequence[str]
    members: range
    kept: dict[int, Any] = field(default_factory=dict)

    def within(self, step: int, window: Sequence[float]) -> bool:
        """Whether a step lies in [from, to) of the steps, in fractions of their number."""
        return window[0] <= step / len(self.levels) < window[1]

    def keep(self, owner: object, make: Callable[[], Any]) -> Any:
        """What `owner` kept of this course, made at the first call."""
        if id(owner) not in self.kept:
            self.kept[id(owner)] = make()
        return self.kept[id(owner)]

    def draw(self, like: Tensor, what: str) -> Tensor:
        """Standard normal values for `like` (G, K, ...), an image's own; float32, on its device."""
        members = [FIRST_DRAW + member for member in self.members]
        drawn = [
            base_noise(like.shape[2:], seed=self.seed, job=f"{what} {job}", members=members)
            for job in self.jobs
        ]
        return torch.stack(drawn).to(like.device)


class Steering:
    """What acts during sampling; as it stands, nothing does."""

    @property
    def whole_gallery(self) -> bool:
        """Whether an image depends on its siblings, so that it cannot be made without them."""
        return False

    @property
    def hooked(self) -> bool:
        """Whether it hooks into the network, where compiled graphs do not look."""
        return type(self).attached is not Steering.attached

    def require(self, size: int) -> None:
        """Raises ValueError for a gallery of `size` images that it cannot act on."""
        if self.whole_gallery and size < 2:
            raise ValueError(f"a gallery of {size} has no siblings to act on; use at least 2")

    def guidance(self, course: Course, step: int, scale: float) -> float:
        """The guidance scale of a step; `scale` without this steering."""
        return scale

    def condition(self, course: Course, step: int, rows: Rows) -> Rows:
        """The condition of a step, (G, K, ...) by name."""
        return rows

    def push(self, course: Course, step: int, x: Tensor, clean: Tensor) -> Tensor | None:
        """What is added to the clean estimate, both (G, K, C, h, w); None for nothing."""
        return None

    def attached(self, course: Course, step: int, network: nn.Module) -> AbstractContextManager:
        """Hooks in the network, for as long as the context lasts.
        Raises ValueError: it has no such modules.
        """
        return nullcontext()


@dataclass(frozen=True)
class InTurn(Steering):
    """Several, by name: each acts on what those before it have left."""

    parts: Mapping[str, Steering]

    def __post_init__(self) -> None:
        for name, part in self.parts.items():
            require_a(Steering, part, name)

    @property
    def whole_gallery(self) -> bool:
        return any(part.whole_gallery for part in self.parts.values())

    @property
    def hooked(self) -> bool:
        return any(part.hooked for part in self.parts.values())

    def require(self, size: int) -> None:
        for part in self.parts.values():
            part.require(size)

    def guidance(self, course: Course, step: int, scale: float) -> float:
        for part in self.parts.values():
            scale = part.guidance(course, step, scale)
        return scale

    def condition(self, course: Course, step: int, rows: Rows) -> Rows:
        for part in self.parts.values():
            rows = part.condition(course, step, rows)
        return rows

    def push(self, course: Course, step: int, x: Tensor, clean: Tensor) -> Tensor | None:
        total: Tensor | None = None
        for part in self.parts.values():
            moved = clean if total is None else clean + total
            if (pushed := part.push(course, step, x, moved)) is not None:
                total = pushed if total is None else total + pushed
        return total

    def attached(self, course: Course, step: int, network: nn.Module) -> AbstractContextManager:
        with ExitStack() as stack:
            for part in self.parts.values():
                stack.enter_context(part.attached(course, step, network))
            return stack.pop_all()


@dataclass(frozen=True)
class Steered:
    """A steering on its course, as a sampler of G*K rows calls it: gallery 0's members first."""

    steering: Steering
    course: Course

    def guidance(self, step: int) -> float:
        """The scale of a step."""
        return self.steering.guidance(self.course, step, self.course.guidance)

    def condition(self, step: int, rows: Rows) -> dict[str, Tensor]:
        """The condition of a step, (G*K, ...) by name."""
        apart = {name: self._apart(values) for name, values in rows.items()}
        found = self.steering.condition(self.course, step, apart)
        return {name: values.flatten(0, 1) for name, values in found.items()}

    def push(self, step: int, x: Tensor, clean: Tensor) -> Tensor | None:
        """What is added to the clean estimate, both (G*K, C, h, w); None for nothing."""
        pushed = self.steering.push(self.course, step, self._apart(x), self._apart(clean))
        return None if pushed is None else pushed.flatten(0, 1)

    def attached(self, step: int, network: nn.Module) -> AbstractContextManager:
        """Hooks in the network, for as long as the context lasts."""
        return self.steering.attached(self.course, step, network)

    def _apart(self, rows: Tensor) -> Tensor:
        return rows.unflatten(0, (len(self.course.jobs), len(self.course.members)))


def require_window(window: Any, name: str) -> None:
    """ValueError unless it is [from, to) with 0 <= from <= to <= 1, fractions of the steps."""
    ends = require_items(window, name)
    for end in ends:
        require_number(end, name)
    if len(ends) != 2 or not ends[0] <= ends[1] <= 1:
        raise ValueError(f"{name} = {window} is not [from, to) with 0 <= from <= to <= 1")
