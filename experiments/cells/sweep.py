"""The table of a sweep: its runs beside each other, each held against the first in pairs.

    python -m experiments.run -m coupling=iid,repulsive

The galleries are there when the last run has ended, so the table makes none.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from experiments.compose import Config, compose

PAIRED = {"coupling", "optimizer", "method", "cno", "model"}
"""The groups that a sweep may change while its runs stay comparable, prompt by prompt."""

APART = {"experiment", "task", "shard", "plan", "seed", "seeds"}
"""What is no table of diverse galleries, or makes none, or shares no noises: chosen or swept."""


def table_of_sweep(words: Sequence[str]) -> tuple[Config, list[str]] | None:
    """The table of the sweep that these words of a command line ask for, and what all its runs
    share, as overrides; None where they ask for none, or for one whose runs are no pairs.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("-cd", "--config-dir", type=Path)
    given, rest = parser.parse_known_args(words)
    overrides = [word for word in rest if not word.startswith(("-", "hydra/", "hydra."))]
    parsed = OverridesParser.create().parse_overrides(overrides)
    swept = {each.key_or_group for each in parsed if each.is_sweep_override()}
    chosen = {each.key_or_group for each in parsed}
    if not given.multirun or not swept or chosen & APART:
        return None
    if not {key.partition(".")[0] for key in swept} <= PAIRED:
        return None
    shared = ["experiment=diversity"]
    if given.config_dir:
        shared.append(f"hydra.searchpath=['{given.config_dir.resolve().as_uri()}']")
    shared += [o.input_line for o in parsed if not o.is_sweep_override() and o.input_line]
    runs = [
        [word for word in run if word.partition("=")[0] in swept]
        for batch in BasicSweeper.split_arguments(parsed, max_batch_size=None)
        for run in batch
    ]
    rows = {", ".join(run): run for run in runs}
    first, *others = list(rows)
    config = compose(shared)
    named = ", ".join(sorted(swept))
    table: dict[str, Any] = {
        "name": "sweep",
        "title": f"A sweep over {named}",
        "paper": None,
        "rows": rows,
    }
    table |= {"baselines": {row: first for row in others}}
    return cast(Config, OmegaConf.merge(OmegaConf.to_container(config), {"table": table})), shared
