"""What code is called and what it says, for records that outlive the files it lies in.

A record that names a file is wrong once the file moves, and one that names a class alone is wrong
once its author rewrites it. So code is recorded by its door, and code from outside the suite by the
hash of its source, too; the suite's own is told apart by its version.
"""

import ast
import hashlib
import sys
from collections.abc import Callable, Iterator
from functools import reduce
from importlib.util import find_spec, resolve_name
from itertools import accumulate
from pathlib import Path
from sysconfig import get_path
from typing import Any

SUITE = {"coupling", "metrics", "experiments"}
INSTALLED = {"site-packages", "dist-packages"}
HASH_LENGTH = 16  # hexadecimal digits


def door(code: type | Callable[..., Any]) -> str:
    """The name of a class or function in the outermost package that exports it under its own name.

    `metrics.PairwiseL2` for the class in metrics/scorers.py; `saturation.Saturation` in its module
    where no package exports it.
    """
    path = code.__qualname__.split(".")
    for package in _with_parents(code.__module__):
        exported: Any = sys.modules[package]
        try:
            exported = reduce(getattr, path, exported)
        except AttributeError:
            continue
        if exported == code:
            return f"{package}.{code.__qualname__}"
    return f"{code.__module__}.{code.__qualname__}"


def source_hash(code: type | Callable[..., Any]) -> str | None:
    """A short sha256 over the source of `code`, or None if it is the suite's own or installed.

    The source is the module that defines `code` and, recursively, whatever this imports, at its top
    or in a function, that is neither the suite's nor installed.
    Raises ValueError: the module is no file, as in an interactive session.
    """
    module = code.__module__
    if module == "__main__" and _file(module) is None:
        raise ValueError(f"{code.__qualname__} is defined in no file: put it into a module")
    return module_hash(module)


def module_hash(module: str) -> str | None:
    """`source_hash` of whatever a module defines; without importing it, unless it is in a package.

    None, too, of a module that is not here.
    """
    sources: dict[str, bytes] = {}
    _collect(module, sources)
    if module not in sources:
        return None
    digest = hashlib.sha256()
    for name, source in sorted(sources.items()):
        digest.update(f"{name}\0{len(source)}\0".encode() + source)
    return digest.hexdigest()[:HASH_LENGTH]


def _collect(module: str, sources: dict[str, bytes]) -> None:
    """Adds the source of a module, of its packages and of what they import, as far as foreign."""
    for name in _with_parents(module):
        file = _file(name)
        if name in sources or file is None or not _is_foreign(name, file):
            continue
        sources[name] = file.read_bytes()
        if file.suffix == ".py":
            package = name if file.stem == "__init__" else name.rpartition(".")[0]
            for imported in _imports(ast.parse(sources[name]), package):
                _collect(imported, sources)


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """The names that a module imports, of modules or of what is in them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            module = resolve_name(relative, package) if node.level else relative
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _file(module: str) -> Path | None:
    """The file of a module; None for one that is built in, or not there, or no module."""
    if module in sys.modules:
        file = getattr(sys.modules[module], "__file__", None)
    else:
        try:
            spec = find_spec(module)
        except ModuleNotFoundError:  # its parent is no package, or not there
            return None
        file = spec.origin if spec is not None and spec.has_location else None
    return Path(file) if file else None


def _is_foreign(module: str, file: Path) -> bool:
    standard = file.resolve().is_relative_to(Path(get_path("stdlib")).resolve())
    return not (standard or module.partition(".")[0] in SUITE or INSTALLED.intersection(file.parts))


def _with_parents(module: str) -> Iterator[str]:
    """`a`, `a.b`, `a.b.c` of `a.b.c`."""
    return accumulate(module.split("."), "{}.{}".format)
