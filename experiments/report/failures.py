"""What went wrong on the way: galleries that are missing, damaged rows, tries that failed."""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.cells.cell import Cell
from experiments.galleries.folder import CellFolder
from experiments.galleries.ledger import Ledger


@dataclass(frozen=True)
class Account:
    """The galleries of a method: how many were asked for, how many there are, what failed."""

    label: str
    asked: int
    made: int
    damaged: int
    failed: tuple[str, ...]


def accounts(cells: Sequence[Cell]) -> tuple[Account, ...]:
    """One for each cell of our own, in their order."""
    return tuple(
        Account(
            label=cell.label,
            asked=len(cell.jobs),
            made=len(cell.jobs) - len(cell.missing()),
            damaged=_damaged(cell.galleries),
            failed=_failed(cell.galleries),
        )
        for cell in cells
        if cell.recipe is not None
    )


def _damaged(folder: CellFolder) -> int:
    """Lines that a run found unreadable and set aside; their galleries were made again."""
    path = folder.path / "manifest.damaged"
    return len(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else 0


def _failed(folder: CellFolder) -> tuple[str, ...]:
    """A line for each try at a gallery that failed, in their order."""
    return tuple(
        f"{failure.prompt}: try {failure.attempt}, {failure.error}"
        for failure in Ledger(folder.path).read()
    )
