"""Figures drawn again are the figures that were drawn; what needs galleries says so."""

import shutil

import hydra
import numpy as np
import pytest
from PIL import Image

from experiments.compose import CONFIGS
from experiments.errors import UsageError
from experiments.redraw import redraw
from experiments.run import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("redraw")
    overrides = ["experiment=demo", "task.num_prompts=3", "model.num_steps=2"]
    overrides += [
        "workers.galleries_per_batch=3",
        f"output_dir={folder / 'outputs'}",
        f"results_dir={folder / 'results'}",
    ]
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        run(hydra.compose("config", overrides=overrides), overrides=overrides)
    return folder


@pytest.mark.walks
def test_figures_are_drawn_again_as_they_were(folder):
    pictures = sorted((folder / "results" / "demo").glob("*.png"))
    before = {path: np.asarray(Image.open(path).convert("RGB")).astype(int) for path in pictures}
    for path in pictures:
        path.unlink()
    assert dict(redraw(folder / "results")) == dict.fromkeys(pictures, "")
    for path, pixels in before.items():
        again = np.asarray(Image.open(path).convert("RGB")).astype(int)
        assert np.abs(again - pixels).mean() < 0.1  # scores are read back with six digits


@pytest.mark.walks
def test_without_galleries_what_needs_them_is_named(folder):
    moved = folder / "outputs"
    shutil.move(moved, folder / "elsewhere")
    found = {path.stem: problem for path, problem in redraw(folder / "results")}
    shutil.move(folder / "elsewhere", moved)
    assert found["tiny-effects"] == ""
    for name in ("tiny-galleries", "tiny-drift"):
        assert found[name] == "not drawn, galleries of iid are not here; run its experiment again"


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(UsageError, match="gone is no folder"):
        list(redraw(tmp_path / "gone"))
