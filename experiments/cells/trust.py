"""Which code an image may name: it may come from anybody, and what it names would be called.

Known is what the package `coupling` exports, and what the YAML of couplings and optimisers names,
the suite's and the user's own. Whoever knows better allows a module. Nothing else that an image
names is even imported. Code that is not the suite's must be the very code that made the image.

Where an image still lies in its cell, a module that the user has put into a folder of PYTHONPATH is
known, too, if its source, read before it is imported, is the one that made the image.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from inspect import getfile
from pathlib import Path
from typing import Any

import yaml

import coupling
from experiments.cells.identity import SOURCE, edited
from experiments.errors import UsageError
from experiments.galleries.folder import Archive
from experiments.inputs.doors import located
from metrics.code import door, module_hash

GROUPS = ("coupling", "optimizer", "steering")
"""The groups of a configuration that an image restates with their code."""


@dataclass(frozen=True)
class Trust:
    """What may be called because an image names it.

    Attributes:
        names: as `_target_` has them.
        modules: all that they hold may be called.
    """

    names: frozenset[str]
    modules: tuple[str, ...] = ()

    @classmethod
    def of(cls, folders: Iterable[Path], *, allow: Iterable[str] = ()) -> "Trust":
        """Trusts what the configurations in `folders` name, and the modules `allow`.

        Raises:
            UsageError: a YAML cannot be read.
        """
        groups = [folder / group for folder in folders for group in GROUPS]
        files = [file for group in groups for file in group.rglob("*.yaml")]
        ours = {f"coupling.{name}" for name in coupling.__all__}
        return cls(frozenset(ours.union(*map(_named, files))), tuple(allow))

    def covers(self, target: str) -> bool:
        """Whether a `_target_` may be called. An image has its door, a YAML perhaps its file."""
        if target in self.names or target.startswith(tuple(f"{name}." for name in self.modules)):
            return True
        last = target.rpartition(".")[2]
        return any(door(located(n)) == target for n in self.names if n.rpartition(".")[2] == last)

    def checked(self, path: Path, made: Mapping[str, Any], *, model: str) -> dict[str, Any]:
        """What made the image at `path`, without the hashes of its code.

        Args:
            model: what it may name as its model.

        Raises:
            UsageError: it names other code, or the code here is not what made it.
        """
        family = made["model"]["_target_"]
        settings = {key: value for key, value in made["model"].items() if key != "_target_"}
        unknown = {family} - {model} | set(targets([settings, made["batch"]]))
        noise = {group: made.get(group) for group in GROUPS}
        sources = dict(_sources(noise)) if _in_its_cell(path, made) else {}
        unknown |= {
            name
            for name in targets(noise)
            if not self.covers(name) and not _is_yours(name, sources.get(name))
        }
        if unknown:
            raise UsageError(
                f"{path} names {', '.join(sorted(unknown))}, which is not of this suite and in no "
                "configuration here; allow=MODULE calls it, if it is code of yours"
            )
        for name in edited({"model": made["model"], **noise}):
            raise UsageError(f"{path} was made by another {Path(getfile(located(name))).name}")
        return {key: _without_hashes(value) for key, value in made.items()}


def targets(values: Any) -> Iterator[str]:
    """Every `_target_` in JSON values."""
    if isinstance(values, Mapping):
        if "_target_" in values:
            yield str(values["_target_"])
        values = list(values.values())
    for value in values if isinstance(values, list) else ():
        yield from targets(value)


def _in_its_cell(path: Path, made: Mapping[str, Any]) -> bool:
    """Whether an image lies where it was committed, in a cell of the inputs that it states."""
    inputs = (
        Archive.at(path.absolute().parents[2]).inputs if len(path.absolute().parents) > 2 else {}
    )
    return bool(inputs) and all(made.get(key) == value for key, value in inputs.items())


def _is_yours(target: str, source: str | None) -> bool:
    """Whether it is of a module in a folder of PYTHONPATH, and of this source; imports nothing."""
    module, _, name = target.partition(".")
    folders = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    if not source or "." in name or not any((Path(f) / f"{module}.py").is_file() for f in folders):
        return False
    return module_hash(module) == source


def _sources(values: Any) -> Iterator[tuple[str, str]]:
    """Every `_target_` in JSON values that has the hash of its source beside it."""
    if isinstance(values, Mapping):
        if "_target_" in values and SOURCE in values:
            yield str(values["_target_"]), str(values[SOURCE])
        values = list(values.values())
    for value in values if isinstance(values, list) else ():
        yield from _sources(value)


def _named(file: Path) -> set[str]:
    try:
        return set(targets(yaml.safe_load(file.read_text(encoding="utf-8"))))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{file} cannot be read: {' '.join(str(error).split())}") from error


def _without_hashes(values: Any) -> Any:
    if isinstance(values, list):
        return [_without_hashes(value) for value in values]
    if isinstance(values, Mapping):
        return {key: _without_hashes(value) for key, value in values.items() if key != SOURCE}
    return values
