"""Every configuration file composes, and every `_target_` in it is a door of a package."""

import importlib
from pathlib import Path

import pytest
from omegaconf import DictConfig, ListConfig, OmegaConf

from experiments.compose import CONFIGS, compose, read_once
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


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes(option):
    group, name = option.split("/")
    command = COMMANDS.get(group, "config")
    chosen = [f"{group}={name}", *NEEDED.get(option, [])]
    with read_once():
        config = compose(chosen, name=command)
        rows = (compose([*chosen, *row], name=command) for row in rows_of(config))
        configs = [config, *rows]
    for config in configs:
        for target in targets(config):
            package, _, door = target.rpartition(".")
            exporting = importlib.import_module(package)
            assert door in exporting.__all__ and callable(getattr(exporting, door))
            assert Path(str(exporting.__file__)).name == "__init__.py"
    if config.get("table"):
        assert config.table.columns.keys() <= words()["metrics"].keys()
        assert {name for name, draw in config.table.figures.items() if draw} <= words()[
            "figures"
        ].keys()


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
