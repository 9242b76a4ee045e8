"""Nothing good is overwritten: the name under which a table is written to a folder.

A table takes the name of its model (`tiny.md`). Where one of that name has more prompts, no gaps or
other settings, the new one is written beside it, by its number of prompts (`tiny-n2.md`); one with
the same settings and no less to show replaces it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import reduce
from itertools import count
from operator import getitem
from pathlib import Path
from typing import Any

from experiments.tables.table import Table

DECIDING = (
    "coupling", "optimizer", "steering", "method", "task", "metrics", "model", "seed", "seeds",
)  # fmt: skip
"""The groups of a configuration that decide about results, with what they take from the others."""

SILENT = {"task.num_prompts", "model.device", "metrics.device", "metrics.batch_size"}
"""What of them says nothing about results, or, as the number of prompts, is compared by itself."""


def free_stem(folder: Path, table: Table, configs: Mapping[str, Mapping]) -> tuple[str, str]:
    """The name for a table's files in `folder`, and why it is not its model's, or "".

    Args:
        configs: the composed configuration of every table row.
    """
    why = ""
    for stem in _stems(table.model, table.spec.jobs):
        found = _reason_to_keep(folder / f"{stem}.json", table, configs)
        why = why or found
        if not found:
            return stem, why and f"{why}; this table is written beside it, as {stem}"
    raise AssertionError("there are infinitely many names")


def _stems(model: str, prompts: int) -> Iterator[str]:
    yield from (model, f"{model}-n{prompts}")
    yield from (f"{model}-n{prompts}-{k}" for k in count(2))


def _reason_to_keep(path: Path, table: Table, configs: Mapping[str, Mapping]) -> str:
    """Why the table whose JSON is at `path` must stay; "" if there is none, or nothing is lost."""
    if not path.is_file():
        return ""
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        rows, spec = there["made_by"]["configs"], there["spec"]
    except (ValueError, KeyError):
        return f"{path} is no table"
    if rows.keys() != configs.keys():
        return f"{path} has other rows"
    for label, config in configs.items():
        theirs, ours = settings_of(rows[label]), settings_of(config)
        if changed := sorted(k for k in theirs | ours if theirs.get(k) != ours.get(k)):
            return f"{path} has another {changed[0]}"
    if spec["jobs"] > table.spec.jobs:
        return f"{path} has {spec['jobs']} {table.spec.unit}s, not {table.spec.jobs}"
    return f"{path} has no gaps" if table.gaps and not there["gaps"] else ""


def settings_of(config: Mapping[str, Any]) -> dict[str, str]:
    """What decides about the results of a table row, as JSON by dotted name; null is as nothing."""
    groups = {name: config.get(name) for name in DECIDING}
    groups["timing"] = config["table"].get("timing")
    return {
        name: text
        for name, text in _flat(groups, "", config)
        if name not in SILENT and text != "null"
    }


def _flat(value: Any, name: str, root: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The leaves of a value; `${prompts}` is what `root` has there."""
    if isinstance(value, str) and (found := re.fullmatch(r"\$\{([\w.]+)\}", value)):
        with suppress(KeyError, TypeError):  # an item of a list, say, is compared as it is written
            value = reduce(getitem, found[1].split("."), root)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else key, root)
    else:
        yield name, json.dumps(value)
