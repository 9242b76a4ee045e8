"""The committed results name code by its doors."""

import re
from importlib import import_module
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[3] / "results"


@pytest.mark.parametrize(
    "path", sorted(RESULTS.glob("**/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_what_is_written_names_doors(path):
    for target in set(re.findall(r'"_target_": "([^"]+)"', path.read_text(encoding="utf-8"))):
        package, _, name = target.rpartition(".")
        assert name in import_module(package).__all__
