"""What has been measured, a line each, written as it becomes known: a rerun goes on from it."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.galleries.durable import appending, read_lines

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Ledger:
    """The measurements of one comparison, in its `folder`; compiled graphs lie beside them.

    Attributes:
        lines: in their order. The first is the setup, without which no number means anything.
    """

    folder: Path
    lines: list[Line]

    @classmethod
    def opened(cls, folder: Path, *, setup: Line, complete: Line) -> "Ledger":
        """Goes on with what the folder holds of this setup; anew after another, or a whole one.

        Args:
            setup: what measurements must have in common, as JSON values.
            complete: what the line that is written last says.
        """
        lines: list[Line] = list(read_lines(folder / "measured.jsonl"))
        if lines[:1] == [setup] and lines[-1] != complete:
            return cls(folder, lines)
        shutil.rmtree(folder, ignore_errors=True)
        ledger = cls(folder, [])
        ledger.add(**setup)
        return ledger

    def add(self, **line: Any) -> None:
        """Writes a line; it is on the disk when this returns."""
        with appending(self.folder / "measured.jsonl") as append:
            append(line)
        self.lines.append(line)

    def of(self, what: str, **where: Any) -> Iterator[Line]:
        """The lines that measure `what`, of an arm or a turn."""
        wanted = {"what": what, **where}.items()
        return (line for line in self.lines if wanted <= line.items())
