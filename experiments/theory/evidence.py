"""What a check measures with, what it returns, and what it raises."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, triu_indices


class Violation(AssertionError):
    """A statement that the measurements contradict."""


@dataclass(frozen=True)
class Evidence:
    """A statement that held: its name, what was measured in a line or two, and its figure."""

    statement: str
    measured: str
    figure: Path


def require(holds: bool, statement: str, measured: str) -> None:
    """Raises Violation unless the statement holds."""
    if not holds:
        raise Violation(f"{statement} is violated: {measured}")


def squared_distances(members: Tensor) -> Tensor:
    """|x_i - x_j|^2 of all pairs i < j, (pairs, N), of K members in N samples, (K, N, D)."""
    first, second = triu_indices(len(members), len(members), offset=1)
    return (members[first] - members[second]).square().sum(-1)


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """The mean of values (N,), and its standard error."""
    return values.mean().item(), (values.std() / len(values) ** 0.5).item()
