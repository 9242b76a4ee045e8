"""What a check returns, and what it raises."""

from dataclasses import dataclass
from pathlib import Path


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
