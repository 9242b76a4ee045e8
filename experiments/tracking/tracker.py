"""Tells a finished run to Weights & Biases, in a process of its own that is given a time limit.

A client of a service may raise, block on the network, or hold up the interpreter's exit with what
it has not sent yet. A separate process can do none of that to the run, and can be ended.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from PIL import Image

from experiments.cells.cell import Cell
from experiments.errors import UsageError
from experiments.figures.correlation import heat_maps
from experiments.tracking.record import Record, of_cell, of_table

SENDER = Path(__file__).with_name("send.py")
SECRET = "WANDB_API_KEY"


@dataclass(frozen=True)
class WeightsAndBiases:
    """One run for each cell, by the cell's key, and one for its table.

    Attributes:
        entity: None for the key's own.
        mode: "online" or "offline"; None for WANDB_MODE, or online where there is a key.
        folder: its wandb/ holds what is kept offline.
        num_galleries: how many galleries of a cell are shown.
        time_limit: seconds to wait, in all.
    """

    project: str
    entity: str | None
    mode: str | None
    folder: str
    num_galleries: int
    time_limit: float

    def __post_init__(self) -> None:
        if self.mode not in (None, "online", "offline"):
            raise UsageError(f"tracking.mode = {self.mode} must be online, offline or null")
        if not self.time_limit > 0:
            raise UsageError(f"tracking.time_limit = {self.time_limit} must be positive")

    def __call__(
        self,
        cells: Sequence[Cell],
        scores: pd.DataFrame,
        *,
        configs: Mapping[str, Mapping],
        model: str,
        table: str | None = None,
        files: Sequence[Path] = (),
    ) -> None:
        """Tells of every cell, and of the table if there is one. Raises nothing, prints one line.

        Args:
            scores: of all cells.
            configs: the composed configuration of every cell, by its label.
            model: its name.
            table: the name of the table; None for a single cell.
            files: all that was written of the table.
        """
        try:
            records = [
                of_cell(
                    cell,
                    scores,
                    config=configs[cell.label],
                    table=table,
                    num_galleries=self.num_galleries,
                )
                for cell in cells
            ]
            if table is not None:
                rows = {"rows": dict(configs)}
                records.append(of_table(table, records, model=model, config=rows, files=files))
            outcome = self._send(records)
        except Exception as error:  # whatever it is: the run is done, and its results stand
            outcome = f"nothing was logged: {type(error).__name__}: {error}"
        print(f"tracking: {_one_line(outcome)}", file=sys.stderr)

    def _send(self, records: Sequence[Record]) -> str:
        """The service is told of all records; the answer says in words what came of it."""
        with TemporaryDirectory(ignore_cleanup_errors=True) as name:
            spool = Path(name)
            settings = {"project": self.project, "entity": self.entity, "mode": self.mode}
            settings |= {"folder": str(Path(self.folder).resolve())}
            runs = [_spooled(record, spool / str(i)) for i, record in enumerate(records)]
            (spool / "runs.json").write_text(json.dumps({"settings": settings, "runs": runs}))
            output, errors = spool / "output", spool / "errors"
            # files, for the client's own service would hold a pipe open; -P: no path but the user's
            with output.open("wb") as out, errors.open("wb") as err:
                try:
                    done = subprocess.run(
                        [sys.executable, "-P", str(SENDER), str(spool / "runs.json")],
                        stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=self.time_limit,
                    )  # fmt: skip
                except subprocess.TimeoutExpired:
                    return (
                        f"W&B did not take everything within {self.time_limit:g} s; run again to "
                        "log it, with tracking.mode=offline to keep it here"
                    )
            said = output.read_text(errors="replace") or errors.read_text(errors="replace")
            last = (said.strip().splitlines() or ["it died without a word"])[-1]
            return last if done.returncode == 0 else f"logging stopped: {last}"


def _spooled(record: Record, folder: Path) -> dict:
    """The record as JSON values, its pictures as files in `folder`."""
    folder.mkdir()
    galleries = []
    for order, images in enumerate(record.galleries):
        paths = [folder / f"{order}-{member}.png" for member in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            Image.fromarray(image).save(path, compress_level=1)
        galleries.append([str(path) for path in paths])
    figures = {name: str(path.resolve()) for name, path in record.figures.items()}
    if record.matrices:
        figures["correlation"] = str(heat_maps(record.matrices, folder / "correlation")[0])
    artifacts = [
        {"name": name, "type": kind, "paths": [str(path.resolve()) for path in paths]}
        for (name, kind), paths in record.artifacts.items()
    ]
    plain = asdict(replace(record, galleries=(), matrices={}, figures={}, artifacts={}))
    return plain | {"galleries": galleries, "figures": figures, "artifacts": artifacts}


def _one_line(text: str) -> str:
    """The text in one line, without the key."""
    secret = os.environ.get(SECRET)
    line = " ".join(text.split())
    return line.replace(secret, "***") if secret else line
