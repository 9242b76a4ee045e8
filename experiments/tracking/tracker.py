"""Tells a run to Weights & Biases while it works and when it has ended, from a process of its own
that reads what is committed, and at the end is given a time limit.

A client of a service may raise, block on the network, or hold up the interpreter's exit with what
it has not sent yet. A separate process can do none of that to the run, and can be ended.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from PIL import Image

from experiments.cells.cell import Cell
from experiments.errors import UsageError
from experiments.figures.correlation import heat_maps
from experiments.galleries.durable import replace_file
from experiments.tracking.record import Record, identity, of_cell, of_table, shareable

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
        interval: seconds between two looks at what is committed.
        time_limit: seconds to wait at the end, in all.
    """

    project: str
    entity: str | None
    mode: str | None
    folder: str
    num_galleries: int
    interval: float
    time_limit: float

    def __post_init__(self) -> None:
        if self.mode not in (None, "online", "offline"):
            raise UsageError(f"tracking.mode = {self.mode} must be online, offline or null")
        for name in ("interval", "time_limit"):
            if not getattr(self, name) > 0:
                raise UsageError(f"tracking.{name} = {getattr(self, name)} must be positive")

    @contextmanager
    def watching(
        self, cells: Sequence[Cell], *, configs: Mapping[str, Mapping], table: str | None = None
    ) -> Iterator["Watch"]:
        """Within it every cell is a live run, which is told what is committed as it is; the `Watch`
        tells the scores. Raises nothing of its own.

        Args:
            configs: the composed configuration of every cell, by its label.
            table: the name of the table; None for a single cell.
        """
        with TemporaryDirectory(ignore_cleanup_errors=True) as name:
            watch = Watch(self, cells, configs, table, Path(name))
            try:
                with suppress(Exception):  # it is told in the end, with the scores
                    watch.begin()
                yield watch
            finally:
                watch.end()


@dataclass
class Watch:
    """The live runs of cells: a process of its own that reads their folders, and its spool."""

    tracker: WeightsAndBiases
    cells: Sequence[Cell]
    configs: Mapping[str, Mapping]
    table: str | None
    spool: Path
    process: subprocess.Popen | None = None

    def begin(self) -> None:
        """Starts the process; what goes wrong there is told in the end."""
        spool = self.spool
        settings = asdict(self.tracker) | {"folder": str(Path(self.tracker.folder).resolve())}
        live = [
            asdict(identity(cell, self.configs[cell.label], self.table))
            | {"watched": str(cell.place.resolve())}
            for cell in self.cells
            if cell.production
        ]
        (spool / "live.json").write_text(json.dumps({"settings": settings, "runs": live}))
        # files, for the client's own service would hold a pipe open; -P: no path but the user's
        with (spool / "output").open("wb") as out, (spool / "errors").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(SENDER), str(spool)],
                stdin=subprocess.PIPE, stdout=out, stderr=err,
            )  # fmt: skip

    def __call__(self, scores: pd.DataFrame, *, model: str, files: Sequence[Path] = ()) -> None:
        """Tells the scores of every cell, and the table if there is one. Prints one line.

        Args:
            scores: of all cells.
            model: its name.
            files: all that was written of the table.
        """
        try:
            records = [
                of_cell(
                    cell,
                    scores,
                    config=self.configs[cell.label],
                    table=self.table,
                    num_galleries=self.tracker.num_galleries,
                )
                for cell in self.cells
            ]
            if self.table is not None:
                rows = {"rows": {label: shareable(each) for label, each in self.configs.items()}}
                records.append(of_table(self.table, records, model=model, config=rows, files=files))
            outcome = self._send(records)
        except Exception as error:  # whatever it is: the run is done, and its results stand
            outcome = f"nothing was logged: {type(error).__name__}: {error}"
        print(f"tracking: {_one_line(outcome)}", file=sys.stderr)

    def end(self) -> None:
        """The process ends, by itself or not; runs that have no scores yet keep what they have."""
        if self.process and self.process.stdin:
            self.process.stdin.close()
            try:
                self.process.wait(self.tracker.time_limit if self.process.returncode is None else 0)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _send(self, records: Sequence[Record]) -> str:
        """The service is told of all records; the answer says in words what came of it."""
        if self.process is None:
            self.begin()
        assert self.process is not None
        runs = [_spooled(record, self.spool / str(i)) for i, record in enumerate(records)]
        replace_file(self.spool / "runs.json", json.dumps(runs).encode())
        try:
            self.process.wait(self.tracker.time_limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return (
                f"W&B did not take everything within {self.tracker.time_limit:g} s; run again to "
                "log it, with tracking.mode=offline to keep it here"
            )
        said = [(self.spool / name).read_text(errors="replace") for name in ("output", "errors")]
        last = ((said[0] or said[1]).strip().splitlines() or ["it died without a word"])[-1]
        return last if self.process.returncode == 0 else f"logging stopped: {last}"


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
    uses = dict(record.uses)
    for name, model in record.models.items():
        uses[name, "model"] = (folder / f"{name}.json",)
        uses[name, "model"][0].write_text(json.dumps(model, indent=1, sort_keys=True))
    plain = asdict(replace(record, galleries=(), matrices={}, figures={}, artifacts={}, uses={}))
    files = {"artifacts": _listed(record.artifacts), "uses": _listed(uses)}
    return plain | {"galleries": galleries, "figures": figures} | files


def _listed(artifacts: Mapping[tuple[str, str], Sequence[Path]]) -> list[dict]:
    return [
        {"name": name, "type": kind, "paths": [str(path.resolve()) for path in paths]}
        for (name, kind), paths in artifacts.items()
    ]


def _one_line(text: str) -> str:
    """The text in one line, without the key."""
    secret = os.environ.get(SECRET)
    line = " ".join(text.split())
    return line.replace(secret, "***") if secret else line
