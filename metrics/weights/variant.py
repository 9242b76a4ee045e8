"""What a network variant is: named, pinned, licensed, found on this machine or fetched."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from pathlib import Path


class WeightsError(RuntimeError):
    """Weights that are missing and cannot be had, or are not what they should be; says the remedy.

    One line for each variant.
    """


@dataclass(frozen=True, kw_only=True)
class Variant(ABC):
    """One network with its weights. size: bytes to download, 0 if unknown; citation: where it was
    published.
    """

    name: str
    size: int
    licence: str
    citation: str

    @property
    @abstractmethod
    def identity(self) -> dict[str, str]:
        """What pins the weights, as it enters every score made with them. Reads no file."""

    @property
    @abstractmethod
    def origin(self) -> str:
        """Where it comes from, for a person."""

    @abstractmethod
    def find(self) -> Path | None:
        """The verified file or folder on this machine, None if it is not there or not whole.

        Raises WeightsError if it is there and altered.
        """

    @abstractmethod
    def fetch(self) -> Path:
        """Get it from its sources and verify it. Raises WeightsError."""

    def __str__(self) -> str:
        return f"{self.name} ({self.size / 1e6:.1f} MB)" if self.size else self.name


def sha256(path: Path) -> str:
    """The checksum of a file, in hexadecimal; computed once while the file stays as it is."""
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns)


@cache
def _digest(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: Path, expected: str, name: str) -> Path:
    """`path`, if its checksum is `expected`; else WeightsError."""
    if (found := sha256(path)) != expected:
        raise WeightsError(
            f"{name}: {path} is altered or incomplete (sha256 {found[:12]}..., not "
            f"{expected[:12]}...); delete it to fetch it again"
        )
    return path
