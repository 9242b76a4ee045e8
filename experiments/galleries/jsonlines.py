"""JSON lines in a file that a kill may tear: a torn line counts as none and swallows no other."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Append = Callable[[Mapping[str, Any]], None]


def read(file: Path) -> Iterator[dict[str, Any]]:
    """Yields the objects of a file, in order; nothing if it does not exist."""
    if not file.is_file():
        return
    # "replace" keeps a flipped bit from hiding the lines around it
    for text in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        if isinstance(line, dict):
            yield line


@contextmanager
def appending(file: Path) -> Iterator[Append]:
    """Opens a file, made if missing, to append objects; they are on the disk when it is closed."""
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
