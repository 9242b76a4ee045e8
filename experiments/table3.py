"""Table 3: the settings of contrastive noise optimisation, read from the composed configurations.

    python -m experiments.table3

The paper's value stands in brackets where it differs from ours, or where ours has none.
"""

import pandas as pd

from experiments.compose import compose, plain
from experiments.tables import paper

MODELS = ("sd15", "sdxl", "sd3", "tiny")
SETTINGS = {
    "cfg_scale": ("model", "guidance"),
    "cno_steps": ("optimizer", "num_steps"),
    "learning_rate": ("optimizer", "learning_rate"),
    "pooling_window": ("optimizer", "window"),
    "sampling_steps": ("model", "num_steps"),
}
"""The paper's column -> group and key that hold it in a configuration with `optimizer=cno`."""


def settings() -> pd.DataFrame:
    """A row a model, a column a setting; what differs from the paper says so."""
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
    print(settings().to_markdown())
