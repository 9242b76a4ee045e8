"""Table 3: the settings of contrastive noise optimisation, read from the composed configurations.

    python -m experiments.table3

The paper's value stands in brackets where it differs from ours, or where ours has none.
"""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.compose import compose, plain
from experiments.errors import command
from experiments.tables import paper

if TYPE_CHECKING:
    import pandas as pd

MODELS = ("sd15", "sdxl", "sd3", "tiny")
SETTINGS = {
    "cfg_scale": ("model", "guidance"),
    "cno_steps": ("optimizer", "num_steps"),
    "learning_rate": ("optimizer", "learning_rate"),
    "pooling_window": ("optimizer", "window"),
    "sampling_steps": ("model", "num_steps"),
}
"""The paper's column -> group and key that hold it in a configuration with `optimizer=cno`."""


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m experiments.table3", description=__doc__.splitlines()[0]
    )
    parser.parse_args(arguments)
    print(settings().to_markdown())


def settings() -> "pd.DataFrame":
    """A row a model, a column a setting; what differs from the paper says so."""
    import pandas as pd

    return pd.DataFrame({paper.label(model): _settings_of(model) for model in MODELS}).T


def _settings_of(model: str) -> dict[str, str]:
    config = plain(compose([f"model={model}", "optimizer=cno"]))
    reported = paper.values("table3", model).get("settings", {})
    found = {}
    for setting, (group, key) in SETTINGS.items():
        ours = config[group][key]
        theirs = reported.get(setting, (ours, None))[0]
        found[setting] = f"{ours:g}" if ours == theirs else f"{ours:g} [{theirs:g}]"
    return found


if __name__ == "__main__":
    main()
