"""Checks of arguments: a failure is one line with the value and the valid range."""

import operator
from typing import SupportsIndex


def require_integer(value: SupportsIndex, name: str, *, least: int | None = None) -> int:
    """`value` as an int; ValueError if it is no integer (3.0 is none) or below `least`."""
    valid = "an integer" if least is None else f"an integer >= {least}"
    try:
        integer = int(operator.index(value))
    except TypeError:
        raise ValueError(f"{name} = {value!r} is not {valid}") from None
    if least is not None and integer < least:
        raise ValueError(f"{name} = {integer} is not {valid}")
    return integer
