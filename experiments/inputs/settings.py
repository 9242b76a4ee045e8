"""What a setting must be, told by its name before anything loads.

A configuration states a value for every setting, and so its kind: a whole number where a whole
number stands, and so on. Settings that may also be null, or a word, are listed here.
"""

import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from experiments.errors import UsageError

OPEN: Mapping[str, type] = {
    **dict.fromkeys(("task.keep", "task.checkpoint", "task.num_prompts", "report.galleries"), int),
    **dict.fromkeys(("optimizer.gamma", "workers.cpus", "workers.gpus"), float),
    **dict.fromkeys(("model.revision", "model.variant", "workers.address"), str),
    **dict.fromkeys(("tracking.mode", "tracking.entity"), str),
}
"""Settings that may be null, and what they are otherwise."""

REQUIRED = {"task.path": str, "prompts.path": str, "coupling.card": str, "out": str}
"""Settings without a value of their own."""

AUTOMATIC = {"workers.lanes", "workers.galleries_per_batch"}
"""Whole numbers, or auto."""

SIGNED = {"seed"}
ZERO = {"retries", "galleries", "num_galleries", "used", "held_out", "warm_up"}
"""Last words of whole numbers that may be negative, or zero; others are counts."""

KINDS = {int: "whole number", float: "number", bool: "true or false", str: "text"}


def require_whole(name: str, value: Any, *, least: int | None) -> None:
    """Raises UsageError unless `value` is an integer of `least` or more; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(name, value, int)
    if least is not None and value < least:
        raise UsageError(f"{name} = {value} must be at least {least}")


def require(name: str, value: Any, stated: Any) -> None:
    """Raises UsageError unless `value` is of the kind of what a configuration states.

    Args:
        name: its key, as in task.num_prompts.
        stated: the value in the configuration's file; None where that leaves it open.
    """
    if isinstance(stated, Mapping | list):
        if not isinstance(value, Mapping | list | None):
            what = "list" if isinstance(stated, list) else "group of settings"
            raise UsageError(f"{name}={value} must be a {what}, as --help shows it")
        return
    kind = OPEN.get(name) or REQUIRED.get(name) or (int if name in AUTOMATIC else type(stated))
    if kind not in KINDS or (value is None and (name in OPEN or stated is None)):
        return
    if name in AUTOMATIC and value == "auto":
        return
    last = name.rpartition(".")[2]
    if kind is int:
        require_whole(name, value, least=None if last in SIGNED else int(last not in ZERO))
    elif kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong(name, value, float)
        if not math.isfinite(value):
            raise UsageError(f"{name}={value} must be finite")
    elif not isinstance(value, kind):
        raise _wrong(name, value, kind)


def require_writable(name: str, folder: Path) -> None:
    """Raises UsageError unless files can be written into a folder, which need not exist yet."""
    try:
        if "\0" in str(folder):
            raise ValueError("it holds a zero byte")
        there = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        if not there.is_dir():
            raise UsageError(f"{name}={folder}: {there} is a file; name a folder")
        with tempfile.TemporaryDirectory(prefix=".writable", dir=there):
            pass
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{name}={folder} cannot be written: {why}; name another folder") from None


def nearest(name: str, names: Sequence[str]) -> str:
    """`; did you mean ...?` where one of `names` is near to a name that is none of them."""
    found = get_close_matches(name, names, n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def quoted(text: str) -> str:
    """The text as a value in Hydra's grammar, whatever it holds."""
    escaped = re.sub(r"(\\*)'", lambda found: found[1] * 2 + r"\'", text).replace("${", r"\${")
    trailing = len(escaped) - len(escaped.rstrip("\\"))
    return f"'{escaped}{chr(92) * trailing}'"


def _wrong(name: str, value: Any, kind: type) -> UsageError:
    remedy = f"write a {KINDS[kind]}"
    if isinstance(value, str) and (ratio := re.fullmatch(r"\s*(-?\d+)/(0*[1-9]\d*)\s*", value)):
        remedy = f"write {name}={int(ratio[1]) / int(ratio[2])!r}"
    elif kind is bool:
        remedy = f"write {name}=true or {name}=false"
    elif kind is str:
        remedy = f"quote it for Hydra, too: \"{name}='{value}'\""
    told = "null" if value is None else value
    return UsageError(f"{name}={told} is no {KINDS[kind]}: {remedy}")
