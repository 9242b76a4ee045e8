"""What code is called where it is recorded, and which code it was.

The suite's own code is called by its door, the name that a package exports, so that files may move
freely. Code that is neither the suite's nor installed has no version: it is known by the hash of
its source.
"""

import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any

SUITE = ("coupling", "experiments", "metrics")
INSTALLED = tuple(
    Path(sysconfig.get_path(kind)).resolve()
    for kind in ("stdlib", "platstdlib", "purelib", "platlib")
)


def door(code: Any) -> str:
    """The name of a class or function: of the shortest package that exports it, else its own.

    >>> from metrics.scorers import PairwiseL2
    >>> door(PairwiseL2)
    'metrics.PairwiseL2'
    """
    name = code.__qualname__
    packages = accumulate(code.__module__.split("."), "{}.{}".format)
    exporting = (p for p in packages if getattr(sys.modules.get(p), name, None) is code)
    return f"{next(exporting, code.__module__)}.{name}"


def source_hash(code: Any) -> str | None:
    """Twelve hexadecimal digits of SHA-256 over the source behind a class or function.

    That is the module that defines it and the modules of the same kind that its names come from.
    None for the suite's own code, for what is installed, and for what has no file.
    """
    files = sorted(set(_files(sys.modules[code.__module__], set())))
    parts = [file.name.encode() + b"\0" + file.read_bytes() + b"\0" for file in files]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12] if files else None


def _files(module: ModuleType, seen: set[str]) -> Iterator[Path]:
    """The file of a foreign module, and of the foreign modules that its names come from."""
    if module.__name__ in seen or (file := _foreign_file(module)) is None:
        return
    seen.add(module.__name__)
    yield file
    for value in list(vars(module).values()):
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
        if isinstance(name, str) and name in sys.modules:
            yield from _files(sys.modules[name], seen)


def _foreign_file(module: ModuleType) -> Path | None:
    """The file of a module that is neither the suite's nor installed."""
    if module.__name__.partition(".")[0] in SUITE or not getattr(module, "__file__", None):
        return None
    file = Path(str(module.__file__)).resolve()
    return None if any(file.is_relative_to(folder) for folder in INSTALLED) else file
