"""The manifest of a cell: a line of JSON for each committed gallery."""

import gc
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from coupling.drift import Drift
from experiments.galleries.durable import replace_file


@dataclass(frozen=True)
class Entry:
    """A committed gallery: the SHA-256 of every image file, and how they came about.

    One that has grown took the seconds and passes of all its images, and was made with what made
    the last.

    Attributes:
        attempts: how many attempts it took, the good one included.
        peak: MiB of memory at the most while it was made (see `EncodedGallery`).
    """

    job: str
    prompt: str
    images: tuple[str, ...]
    seconds: Mapping[str, float]
    passes: Mapping[str, int]
    loss: tuple[float, ...]
    drift: Drift
    made_with: Mapping[str, str]
    attempts: int = 1
    peak: float | None = None

    @property
    def digest(self) -> str:
        """One hash for the gallery: its scores are scores of exactly these files."""
        return hashlib.sha256("".join(self.images).encode()).hexdigest()[:16]


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
        """When, in nanoseconds; 0 if it is not there."""
        return self.path.stat().st_mtime_ns if self.path.exists() else 0

    @property
    def ends_a_line(self) -> bool:
        """Whether another entry may follow; a file that is empty or not there has room for one."""
        if not self.path.is_file() or not self.path.stat().st_size:
            return True
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"

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
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(entry))
            file.flush()
            os.fsync(file.fileno())

    def replace(self, entries: Iterable[Entry]) -> None:
        """Writes these entries and no others."""
        replace_file(self.path, "".join(map(_line, entries)).encode())


def _parse(path: Path) -> tuple[dict[str, Entry], list[str]]:
    entries: dict[str, Entry] = {}
    damaged = []
    with _nothing_is_garbage():
        # "replace" keeps a flipped bit from hiding the lines around it
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                fields = orjson.loads(line)
                fields["images"] = tuple(fields["images"])
                fields["loss"] = tuple(fields["loss"])
                fields["drift"] = Drift(**fields["drift"])
                entry = Entry(**fields)
            except (ValueError, TypeError, KeyError):
                damaged.append(line)
            else:
                entries[entry.job] = entry
    return entries, damaged


@contextmanager
def _nothing_is_garbage() -> Iterator[None]:
    """Pauses the search for cycles: among millions of new lists it takes longer than parsing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry), sort_keys=True) + "\n"
