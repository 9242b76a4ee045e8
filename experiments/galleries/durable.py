"""Files that a kill leaves as they were, or whole and new."""

import os
from pathlib import Path


def replace_file(path: Path, data: bytes, *, by: str = "") -> None:
    """Replaces a file as a whole, never leaving half of it; `by` tells writers apart."""
    temporary = path.with_name(f".{path.name}{by}")
    write_flushed(temporary, data)
    os.replace(temporary, path)


def write_flushed(path: Path, data: bytes) -> None:
    """Writes a file, and returns when it is on the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
