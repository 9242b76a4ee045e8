"""Files that a kill leaves as they were, or whole and new; of JSON lines it may tear the last."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Append = Callable[[Mapping[str, Any]], None]


def replace_file(path: Path, data: bytes, *, by: str = "") -> None:
    """Replaces a file as a whole, never leaving half of it; `by` tells writers apart."""
    temporary = path.with_name(f".{path.name}{by}")
    write_flushed(temporary, data)
    os.replace(temporary, path)


def write_text(path: Path, text: str) -> Path:
    """Writes a text as a whole, into a folder that is made if missing; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text.encode())
    return path


def write_flushed(path: Path, data: bytes) -> None:
    """Writes a file, and returns when it is on the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """Yields the objects of a file of JSON lines in order; torn lines, missing files have none."""
    if not file.is_file():
        return
    with file.open(encoding="utf-8", errors="replace") as lines:  # for a bit that was flipped
        for text in lines:
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                continue
            if isinstance(line, dict):
                yield line


@contextmanager
def appending(file: Path) -> Iterator[Append]:
    """Opens a file, made if missing, to append objects as JSON lines; a torn line swallows none.

    They are on the disk when it is closed.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab+") as out:
        if out.tell():
            out.seek(-1, os.SEEK_END)
            if out.read(1) != b"\n":
                out.write(b"\n")

        def append(line: Mapping[str, Any]) -> None:
            out.write(json.dumps(line, sort_keys=True).encode() + b"\n")

        yield append
        out.flush()
        os.fsync(out.fileno())
