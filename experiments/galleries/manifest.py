"""What a cell records, a line of JSON each: its committed galleries, the attempts that failed.

`manifest.jsonl` holds the entries of galleries, `failures.jsonl` the failures. A failure is on the
disk before the next attempt, so it outlives whatever happens then.
"""

import gc
import hashlib
import json
import marshal
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import orjson

from coupling.drift import Drift
from experiments.galleries.durable import appending, replace_file

FAILURES = "failures.jsonl"
SHARED = ("passes", "made_with")
PACKED = ("seconds", "loss", "drift")


@dataclass(frozen=True)
class Entry:
    """A committed gallery: the SHA-256 of every image file, and how they came about.

    One that has grown took the seconds and passes of all its images, and was made with what made
    the last. One that was read keeps its statistics packed until they are asked for: there may be a
    million.

    Attributes:
        attempts: how many attempts it took, the good one included.
        peak: MiB of memory at the most while it was made (see `EncodedGallery`).
        rows: of the network (see `Gallery`); None of a gallery that is older than their count.
    """

    job: str
    prompt: str
    images: tuple[str, ...]
    seconds: Mapping[str, float]
    passes: Mapping[str, int]
    loss: tuple[float, ...]
    drift: Drift
    made_with: Mapping[str, str | None]
    attempts: int = 1
    peak: float | None = None
    rows: int | None = None

    @classmethod
    def packed(cls, fields: dict[str, Any], shared: dict[str, Any]) -> Self:
        """Of the values of a line. Raises TypeError, KeyError: they are none.

        shared: what earlier lines said of `SHARED`, which most of them say alike.
        """
        for name in SHARED:
            fields[name] = shared.setdefault(repr(fields[name]), fields[name])
        drift = fields["drift"]
        whole = cls(**{**fields, "images": tuple(fields["images"]), "drift": Drift(**drift)})
        packed = marshal.dumps((fields["seconds"], tuple(fields["loss"]), drift))
        vars(whole).update(_packed=packed)
        for name in PACKED:
            del vars(whole)[name]
        return whole

    def __getattr__(self, name: str) -> Any:
        if name not in PACKED or "_packed" not in vars(self):
            raise AttributeError(name)
        seconds, loss, drift = marshal.loads(vars(self)["_packed"])
        return {"seconds": seconds, "loss": loss, "drift": Drift(**drift)}[name]

    @property
    def digest(self) -> str:
        """One hash for the gallery: its scores are scores of exactly these files."""
        return hashlib.sha256("".join(self.images).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Failure:
    """A failed attempt at a gallery.

    Attributes:
        attempt: its number within the run, from 1.
        error: one line.
        final: whether the run has given the gallery up; the next run tries it anew.
        when: UTC, to the second.
    """

    job: str
    prompt: str
    attempt: int
    error: str
    final: bool
    when: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


class Manifest:
    """One file of entries. It is read again only when it has changed: a run asks often, and 100,000
    entries take seconds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[dict[str, Entry], list[str]] = {}, []
        self._state: tuple[int, ...] | None = None

    @property
    def written(self) -> int:
        """The time of the last change, in nanoseconds; 0 if the file is not there."""
        return self.path.stat().st_mtime_ns if self.path.exists() else 0

    def read(self) -> tuple[dict[str, Entry], list[str]]:
        """Entries by job, the last one standing, and the lines that are no entries."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return {}, []
        # Appending changes the size, and replacing the inode, however coarse the clock.
        state = stat.st_ino, stat.st_size, stat.st_mtime_ns
        if state != self._state:
            self._read, self._state = _parse(self.path), state
        entries, damaged = self._read
        return dict(entries), list(damaged)

    def append(self, entry: Entry) -> None:
        """Adds an entry, and returns when it is on the disk."""
        with appending(self.path) as append:
            append(asdict(entry))

    def replace(self, entries: Iterable[Entry]) -> None:
        """Writes these entries and no others."""
        lines = (json.dumps(asdict(entry), sort_keys=True) + "\n" for entry in entries)
        replace_file(self.path, "".join(lines).encode())


def _parse(path: Path) -> tuple[dict[str, Entry], list[str]]:
    entries: dict[str, Entry] = {}
    damaged = []
    shared: dict[str, Any] = {}
    collecting = gc.isenabled()
    gc.disable()  # a search for cycles among millions of new lists takes longer than parsing
    try:
        with path.open("rb") as lines:
            for line in lines:
                try:
                    entry = Entry.packed(orjson.loads(line), shared)
                except (ValueError, TypeError, KeyError):
                    damaged.append(line.decode(errors="replace").rstrip("\n"))
                else:
                    entries[entry.job] = entry
    finally:
        if collecting:
            gc.enable()
    return entries, damaged
