"""What went wrong on the way: galleries that are missing, damaged entries, attempts that failed."""

from dataclasses import dataclass

from experiments.cells.production import Production


@dataclass(frozen=True)
class Account:
    """The galleries of a cell: how many were asked for, how many there are, what failed.

    Attributes:
        damaged: lines of the manifest that could not be read; their galleries were made again.
        failed: a line for each attempt at a gallery that failed, in their order.
    """

    label: str
    asked: int
    made: int
    damaged: int
    failed: tuple[str, ...]


def account(production: Production) -> Account:
    """The account of a cell's galleries."""
    folder = production.folder.path
    damaged = folder / "manifest.damaged"
    return Account(
        label=production.label,
        asked=len(production.jobs),
        made=len(production.entries()),
        damaged=len(damaged.read_text(encoding="utf-8").splitlines()) if damaged.is_file() else 0,
        failed=tuple(
            f"{failure.prompt}: try {failure.attempt}, {failure.error}"
            for failure in production.folder.failures()
        ),
    )
