"""Checks of arguments: a failure is one line with the value and the valid range."""

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any, SupportsIndex

from torch import Tensor

LARGEST = 2**31 - 1  # of what is allocated
SHOWN = 60  # characters of a value in a message


def require_integer(
    value: SupportsIndex, name: str, *, least: int | None = None, most: int | None = None
) -> int:
    """`value` as an int; ValueError if it is no integer (3.0 and True are none) or out of range."""
    valid = "an integer" if least is None else f"an integer >= {least}"
    try:
        integer = int(operator.index(value))
    except (TypeError, ValueError, RuntimeError):  # the latter two of tensors
        raise ValueError(f"{name} = {shown(value)} is not {valid}") from None
    if isinstance(value, bool) or (least is not None and integer < least):
        raise ValueError(f"{name} = {value} is not {valid}")
    if most is not None and integer > most:
        raise ValueError(f"{name} = {value} is too large; valid is <= {most}")
    return integer


def require_size(value: SupportsIndex, name: str, *, least: int) -> int:
    """`require_integer` for what is allocated."""
    return require_integer(value, name, least=least, most=LARGEST)


def as_number(value: Any, name: str) -> float:
    """`value` as a float, be it infinite or nan; ValueError if it is no number."""
    try:
        if isinstance(value, bool | str | bytes):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ValueError(f"{name} = {shown(value)} is not a number") from None


def require_number(value: Any, name: str, *, least: float = 0, open_end: bool = False) -> None:
    """ValueError unless `value` is a finite number >= `least`, or with an open end > `least`."""
    number = as_number(value, name)
    if not (math.isfinite(number) and number >= least) or (open_end and number == least):
        raise ValueError(
            f"{name} = {value} is not finite and {'>' if open_end else '>='} {least:g}"
        )


def require_items(values: Any, name: str) -> list[Any]:
    """`values` as a list; ValueError if it is none, such as a number, a text or a mapping."""
    if isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping):
        try:
            return list(values)
        except TypeError:  # a tensor without dimensions
            pass
    raise ValueError(f"{name} = {shown(values)} is not a list; valid is one such as (4, 64, 64)")


def require_a(kind: type, value: Any, name: str) -> None:
    """ValueError if `value` is not of a class, such as a tensor."""
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {shown(value)}, not a {kind.__module__}.{kind.__name__}")


def shown(value: Any) -> str:
    """The value in one short line."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
