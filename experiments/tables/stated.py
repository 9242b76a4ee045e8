"""What is stated by hand, in the YAML files of this folder."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@cache
def stated(name: str) -> dict[str, Any]:
    """The values of `name`.yaml."""
    return yaml.safe_load(files("experiments.tables").joinpath(f"{name}.yaml").read_text("utf-8"))
