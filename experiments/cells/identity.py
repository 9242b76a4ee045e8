"""What a cell's images are made from, as JSON values that name code by its door.

Files move freely: a `_target_` is the name that a package exports. Code that is not the suite's own
has no version that we know, so the hash of its source stands beside its name, under `_source_`; an
edited law is another law. A learned coupling is its matrix, wherever its card lies.

What was made in Python, and not by a configuration, is described in the same values.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from coupling import MatrixCoupling, Projection
from experiments.errors import UsageError
from experiments.inputs.doors import located
from experiments.learning.card import read
from metrics.code import door, source_hash

SOURCE = "_source_"


def identified(values: Any) -> Any:
    """The plain values of a configuration, each `_target_` by its door, with foreign code's hash.

    Raises:
        UsageError: a `_target_` that does not exist, a card that cannot be read.
    """
    if isinstance(values, list):
        return [identified(value) for value in values]
    if not isinstance(values, Mapping):
        return values
    if "card" in values:
        values = of_card(values)
    values = {key: identified(value) for key, value in values.items()}
    if "_target_" in values:
        code = located(values["_target_"])
        values["_target_"] = door(code)
        if source := source_hash(code):
            values[SOURCE] = source
    return values


def described(value: Any) -> Any:
    """An object as JSON values: a matrix by its numbers, a dataclass by its door and its fields.

    Raises:
        UsageError: it is none of these, so nobody could tell it from others.
        ValueError: its class is defined in no file, as in a notebook.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [described(one) for one in value]
        case Tensor():
            return value.tolist()
        case Projection():
            return repr(value)
        case MatrixCoupling():
            return {"_target_": "coupling.from_matrix", "matrix": value.matrix.tolist()}
    if isinstance(value, type) or not is_dataclass(value):
        raise UsageError(f"{value!r} has no fields to know it by; make its class a dataclass")
    source = source_hash(type(value))
    own = {field.name: described(getattr(value, field.name)) for field in fields(value)}
    return {"_target_": door(type(value)), **own, **({SOURCE: source} if source else {})}


def of_card(values: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of the coupling whose card `values` name, without the card."""
    matrix = read(Path(values["card"])).matrix.tolist()
    inside = {"_target_": "coupling.from_matrix", "matrix": matrix}
    if not (within := values.get("within")):
        return inside
    return {**{key: value for key, value in within.items() if key != "_partial_"}, "inside": inside}


def edited(values: Any) -> Iterator[str]:
    """The names of foreign code in a cell's inputs that has another source here and now."""
    inner = values.values() if isinstance(values, Mapping) else values
    for value in inner if isinstance(values, Mapping | list) else ():
        yield from edited(value)
    if isinstance(values, Mapping) and SOURCE in values:
        try:
            found = source_hash(located(values["_target_"]))
        except UsageError:
            return  # it is not here
        if found != values[SOURCE]:
            yield values["_target_"]
