"""Every configuration file composes, and every `_target_` in it is a door of a package.

And the committed tables are of today's configurations.
"""

import importlib
import json
from pathlib import Path

import pytest
from omegaconf import DictConfig, ListConfig, OmegaConf

from experiments.compose import CONFIGS, compose, published, read_once
from experiments.compose import rows_of as rows_of_table
from experiments.report.overwriting import settings_of
from experiments.tables.finding import words

OPTIONS = sorted(
    path.relative_to(CONFIGS).with_suffix("").as_posix() for path in CONFIGS.glob("*/*.yaml")
)

COMMANDS = dict.fromkeys(("streams",), "noise") | dict.fromkeys(
    ("reward", "start", "estimator", "within", "sampler", "study"), "learn"
)
"""Groups that are not of the main job, and whose they are."""

NEEDED = {"experiment/draws": ["model=tiny_any"]}
"""Options that go with another."""

TABLES = {
    path: document
    for path in sorted((CONFIGS.parent / "results").glob("*/*.json"))
    if "spec" in (document := json.loads(path.read_text(encoding="utf-8")))
}
METRICS = dict.fromkeys(
    ("table1", "table5", "table6", "compute", "cno-presets", "beyond", "rivals"), "tiny_open"
) | {"large": "tiny_coverage"}
"""What a committed table takes beside the model's own scores, where that is something."""

IN_FULL = {
    f"experiment/{path.parent.name.replace('-', '_')}" for path in TABLES if path.stem == "tiny"
}
"""Options whose rows are composed with their committed table."""


@pytest.fixture(scope="module", autouse=True)
def files_are_read_once():
    with read_once():
        yield


def rows_of(config):
    """The overrides of every row of a table or study; a row that a model has not is null."""
    if config.get("study"):
        return [row for starts in config.study.rows.values() for row in starts.values()]
    return [row or [] for row in config.table.rows.values()] if config.get("table") else []


def targets(node):
    """Every `_target_` of a configuration."""
    if isinstance(node, DictConfig):
        if "_target_" in node:
            yield node._target_
        for key in node:
            if not OmegaConf.is_missing(node, key):
                yield from targets(node[key])
    elif isinstance(node, ListConfig):
        for item in node:
            yield from targets(item)


def require_doors(config):
    for target in targets(config):
        package, _, door = target.rpartition(".")
        exporting = importlib.import_module(package)
        assert door in exporting.__all__ and callable(getattr(exporting, door))
        assert Path(str(exporting.__file__)).name == "__init__.py"


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes(option):
    group, name = option.split("/")
    command = COMMANDS.get(group, "config")
    chosen = [f"{group}={name}", *NEEDED.get(option, [])]
    config = compose(chosen, name=command)
    rows = [] if option in IN_FULL else rows_of(config)
    for each in (config, *(compose([*chosen, *row], name=command) for row in rows)):
        require_doors(each)
    if config.get("table"):
        assert config.table.columns.keys() <= words()["metrics"].keys()
        assert {name for name, draw in config.table.figures.items() if draw} <= words()[
            "figures"
        ].keys()


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parent.name)
def test_every_row_of_a_committed_table_has_todays_settings(path):
    """So that making it again replaces it, and is not written beside it."""
    experiment = path.parent.name
    overrides = [f"experiment={experiment.replace('-', '_')}", f"model={path.stem}"]
    overrides += [f"metrics={METRICS[experiment]}"] if experiment in METRICS else []
    committed = TABLES[path]["made_by"]["configs"]
    rows = rows_of_table(compose(overrides), overrides)
    assert rows.keys() == committed.keys()
    for label, row in rows.items():
        require_doors(row)
        assert settings_of(published(row)) == settings_of(committed[label])


def test_every_file_is_an_option():
    assert {path.parent.name for path in Path(CONFIGS).glob("*/*")} <= {
        path.name for path in Path(CONFIGS).iterdir() if path.is_dir()
    }
    assert not [path for path in CONFIGS.rglob("*") if path.is_file() and path.suffix != ".yaml"]


@pytest.mark.parametrize("model", ["sd15", "sdxl", "sd3"])
@pytest.mark.parametrize("study", ["brightness", "diversity"])
def test_a_coupling_is_learned_from_the_images_that_the_tables_show(model, study):
    """By the sampler that the tables apply (B.1.5), and for Table 7 from all 600 prompts (B.2)."""
    shown = compose([f"model={model}"]).model
    learned = compose([f"model={model}", f"study={study}"], name="learn")
    assert learned.model == shown and learned.task.num_prompts == 600
    assert learned.num_steps == {"brightness": None, "diversity": 40}[study]
