"""The card of a coupling: its matrix, how it was learned, and the course that learning took.

One safetensors file; its settings are in the header, as JSON, and a .json beside it tells a reader
the same. A card is written after every step and replaced as a whole, so it is the checkpoint, too:
a learning that was stopped goes on from its card.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from coupling import Coupling, MatrixCoupling, from_matrix, repulsive
from coupling.learned import LearningState
from coupling.matrix import TOLERANCE
from experiments.errors import UsageError
from experiments.galleries.durable import replace_file
from experiments.galleries.gallery import METADATA_KEY

RECENT = 10  # steps whose mean reward stands in the summary: one minibatch is noisy
TENSORS = ("matrices", "rewards", "gradient_norms", "first_moment", "second_moment")


@dataclass(frozen=True)
class Card:
    """A coupling after T steps.

    matrices: A at the start and after every step, (T + 1, K, m), float64; rewards, gradient_norms:
    of every step, (T,); first_moment, second_moment: Adam's, (K, m). settings: plain JSON values.
    """

    settings: Mapping
    matrices: Tensor
    rewards: Tensor
    gradient_norms: Tensor
    first_moment: Tensor
    second_moment: Tensor

    @classmethod
    def begin(cls, start: MatrixCoupling, settings: Mapping) -> "Card":
        """Before the first step."""
        none, zero = torch.zeros(0, dtype=torch.float64), torch.zeros_like(start.matrix)
        return cls(settings, start.matrix[None], none, none, zero, zero)

    def after(self, state: LearningState) -> "Card":
        """The card with `state` as its next step."""
        reward, norm = torch.tensor([[state.reward], [state.gradient_norm]], dtype=torch.float64)
        return replace(
            self,
            matrices=torch.cat([self.matrices, state.matrix[None]]),
            rewards=torch.cat([self.rewards, reward]),
            gradient_norms=torch.cat([self.gradient_norms, norm]),
            first_moment=state.first_moment,
            second_moment=state.second_moment,
        )

    @property
    def state(self) -> LearningState:
        """The state that learning continues from."""
        return LearningState(self.steps, self.matrix, self.first_moment, self.second_moment)

    @property
    def steps(self) -> int:
        return len(self.rewards)

    @property
    def matrix(self) -> Tensor:
        """A, (K, m), float64, as it stands."""
        return self.matrices[-1]

    @property
    def coupling(self) -> MatrixCoupling:
        """X = A Z."""
        return from_matrix(self.matrix)

    @property
    def correlations(self) -> Tensor:
        """R = A A^T at the start and after every step, (T + 1, K, K)."""
        return self.matrices @ self.matrices.mT

    @property
    def violation(self) -> float:
        """The largest | |A_i| - 1 | of all rows and steps."""
        return (self.matrices.norm(dim=-1) - 1).abs().max().item()

    @property
    def distances(self) -> Tensor:
        """max_{i<j} |R_ij + 1/(K-1)| at the start and after every step, (T + 1,)."""
        difference = self.correlations - repulsive(self.matrix.shape[0]).correlation
        return difference.abs().amax((-2, -1))

    def summary(self) -> dict:
        """The coupling and how learning went, as JSON values."""
        return {
            "steps": self.steps,
            "matrix": self.matrix.tolist(),
            "correlation": self.correlations[-1].tolist(),
            "constraint_violation": self.violation,
            f"mean_reward_of_first_{RECENT}_steps": _mean(self.rewards[:RECENT]),
            f"mean_reward_of_last_{RECENT}_steps": _mean(self.rewards[-RECENT:]),
        }

    def write(self, path: Path) -> None:
        """Replaces the card at `path` (.safetensors) and the .json beside it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {name: getattr(self, name).clone() for name in TENSORS}  # none shares memory
        text = json.dumps(self.settings, sort_keys=True)
        replace_file(path, save(tensors, metadata={METADATA_KEY: text}))
        document = self.summary() | {"settings": self.settings}
        text = json.dumps(document, indent=1, sort_keys=True)
        replace_file(path.with_suffix(".json"), f"{text}\n".encode())


def read(path: Path) -> Card:
    """The card at `path`.

    Raises:
        UsageError: no such file, no card, or one whose numbers are no unit rows.
    """
    if not path.is_file():
        raise UsageError(f"card {path} does not exist; make it: python -m experiments.learn --help")
    try:
        with safe_open(path, "pt") as file:
            settings = json.loads((file.metadata() or {})[METADATA_KEY])
            card = Card(settings, **{name: file.get_tensor(name) for name in TENSORS})
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise _broken(path, "is no card of a learned coupling") from error
    shape = card.matrices.shape
    if len(shape) != 3 or 0 in shape:
        raise _broken(path, f"has matrices of shape {tuple(shape)}, not (steps + 1, K, m)")
    curve, moment = (shape[0] - 1,), tuple(shape[1:])
    for name, wanted in zip(TENSORS[1:], (curve, curve, moment, moment), strict=True):
        found = tuple(getattr(card, name).shape)
        if found != wanted:
            raise _broken(path, f"has {name} of shape {found}, not {wanted}")
    if not all(getattr(card, name).isfinite().all() for name in TENSORS):
        raise _broken(path, "holds a number that is not finite")
    if not card.violation <= TOLERANCE:
        raise _broken(path, f"has a row whose norm is off 1 by {card.violation:.3g}")
    return card


def learned(card: str, *, within: Callable[..., Coupling] | None) -> Coupling:
    """The coupling of the card at the path `card`.

    `within` is the subspace that the card was learned on, a partial `coupling.subspace` that lacks
    `inside`; None for the whole noise. It is no part of the card, for a band or mask has the size
    of a model's noise.

    Raises:
        UsageError: no sound card, or one that was learned on a subspace and has none here, or the
            other way round.
    """
    found = read(Path(card))
    if (within is None) != (found.settings.get("within") is None):
        raise UsageError(
            f"card {card} was learned on the whole noise; set coupling.within=null"
            if within is not None
            else f"card {card} was learned on a subspace; choose it, as in "
            "+within@coupling.within=low_frequency"
        )
    return found.coupling if within is None else within(inside=found.coupling)


def _broken(path: Path, why: str) -> UsageError:
    return UsageError(f"card {path} {why}; learn it again, or restore the file")


def _mean(values: Tensor) -> float | None:
    return values.mean().item() if len(values) else None
