"""The committed results are of today's settings and name code by its doors."""

import json
import re
from importlib import import_module
from pathlib import Path

import pytest

from experiments.compose import compose, published, rows_of
from experiments.report.overwriting import settings_of

RESULTS = Path(__file__).parents[3] / "results"
TABLES = {
    path: document
    for path in sorted(RESULTS.glob("*/*.json"))
    if "spec" in (document := json.loads(path.read_text(encoding="utf-8")))
}
OPEN = ["metrics=tiny_open"]
METRICS = dict.fromkeys(
    ("table1", "table5", "table6", "compute", "cno-presets", "beyond", "rivals"), OPEN
) | {"large": ["metrics=tiny_coverage"]}


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parent.name)
def test_a_table_has_the_settings_of_todays_configuration(path):
    """So that making it again replaces it, and is not written beside it."""
    overrides = [f"experiment={path.parent.name.replace('-', '_')}", f"model={path.stem}"]
    overrides += METRICS.get(path.parent.name, [])
    committed = TABLES[path]["made_by"]["configs"]
    rows = rows_of(compose(overrides), overrides)
    assert rows.keys() == committed.keys()
    for label, row in rows.items():
        assert settings_of(published(row)) == settings_of(committed[label])


@pytest.mark.parametrize(
    "path", sorted(RESULTS.glob("**/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_what_is_written_names_doors(path):
    for target in set(re.findall(r'"_target_": "([^"]+)"', path.read_text(encoding="utf-8"))):
        package, _, name = target.rpartition(".")
        assert name in import_module(package).__all__
