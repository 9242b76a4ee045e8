"""What ran: the settings that all rows of a table share, and what each row changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

ASIDE = ("table", "report", "hydra", "results_dir", "output_dir")
"""Keys that say how things are shown and where they lie, not what they are."""


@dataclass(frozen=True)
class Settings:
    """The configuration, and what made the images; all but `shared` are by row.

    Attributes:
        shared: YAML of what all rows have.
        overrides: that make a row of it, as on the command line.
        changes: what comes of them, keys with their values.
        made_with: libraries and devices.
    """

    shared: str
    overrides: tuple[tuple[str, tuple[str, ...]], ...]
    changes: tuple[tuple[str, tuple[str, ...]], ...]
    made_with: tuple[tuple[str, tuple[str, ...]], ...]


def settings(made_by: Mapping[str, Mapping]) -> Settings:
    """From what is published with a table: "configs" and "cells" by row."""
    flat = {row: dict(_flatten(config)) for row, config in made_by["configs"].items()}
    rows = list(flat.values())
    shared = {
        key: value
        for key, value in rows[0].items()
        if all(key in row and row[key] == value for row in rows)
    }
    return Settings(
        shared=yaml.safe_dump(_nested(shared), sort_keys=False, allow_unicode=True, width=90),
        overrides=tuple(
            (label, tuple((config["table"] or {}).get("rows", {}).get(label, ())))
            for label, config in made_by["configs"].items()
        ),
        changes=tuple(
            (label, tuple(f"{'.'.join(k)}={_text(v)}" for k, v in row.items() if k not in shared))
            for label, row in flat.items()
        ),
        made_with=tuple(
            (label, tuple(_made_with(versions) for versions in cell.get("made_with", [])))
            for label, cell in made_by["cells"].items()
        ),
    )


def _flatten(node: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every value of a configuration by its path."""
    if not isinstance(node, Mapping) or not node:
        return [(path, node)]
    return [
        leaf
        for key, value in node.items()
        if path or key not in ASIDE
        for leaf in _flatten(value, (*path, str(key)))
    ]


def _nested(flat: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        node = tree
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = value
    return tree


def _text(value: Any) -> str:
    return (
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=True)
        .removesuffix("\n")
        .removesuffix("\n...")
    )


def _made_with(versions: Mapping[str, str]) -> str:
    return ", ".join(
        value if name == "device" else f"{name} {value}" for name, value in sorted(versions.items())
    )
