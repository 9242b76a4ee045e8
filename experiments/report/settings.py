"""What ran: the settings that all rows of a table share, and what each row changes."""

from collections.abc import Mapping
from typing import Any

import yaml

ASIDE = ("table", "report", "hydra", "results_dir", "output_dir")
"""Keys that say how things are shown and where they lie, not what they are."""


def settings(configs: Mapping[str, Mapping]) -> tuple[str, dict[str, list[str]]]:
    """YAML of what all rows share, and row -> what it has of its own, keys with their values.

    Args:
        configs: the composed configuration of every row.
    """
    flat = {row: dict(_flatten(config)) for row, config in configs.items()}
    first, *others = flat.values()
    shared = {
        key: value
        for key, value in first.items()
        if all(key in other and other[key] == value for other in others)
    }
    own = {
        row: [f"{'.'.join(k)}={_text(v)}" for k, v in values.items() if k not in shared]
        for row, values in flat.items()
    }
    return yaml.safe_dump(_nested(shared), sort_keys=False, allow_unicode=True, width=90), own


def overrides(configs: Mapping[str, Mapping]) -> dict[str, list[str]]:
    """Row -> the overrides that make it of the shared settings, as on the command line."""
    return {
        row: list((config["table"] or {}).get("rows", {}).get(row, ()))
        for row, config in configs.items()
    }


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
    for (*folders, key), value in flat.items():
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
        node[key] = value
    return tree


def _text(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
