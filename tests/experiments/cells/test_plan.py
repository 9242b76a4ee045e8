"""A plan tells memory and network rows before anything was made with a model."""

import pytest

from experiments.cells.build import cells_of
from experiments.cells.plan import plan
from experiments.compose import compose, rows_of


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["model=sd15", "optimizer=cno_release"], "about 6.5 GiB at the peak by arithmetic"),
        (["model=sd15", "optimizer=cno"], "about 3.1 GiB at the peak by arithmetic"),
        (["model=sdxl", "steering=spell"], "about 15.6 GiB at the peak by arithmetic"),
        (["model=sd3", "optimizer=divin"], "GiB at the peak by arithmetic"),
        (["model=tiny", "optimizer=cno_release"], "time and memory unknown"),
        (["model=tiny", "optimizer=cno"], "168 network rows a gallery; guided passes: sample 75, "
         "forward 9"),
        (["model=tiny", "steering=guidance"], "126 network rows a gallery; guided passes: "
         "sample 75"),
        # SD1.5's refinement, without its pictures: as many rows, those of the bundled scenes, 64 px
        (["model.name=sd15", "task=objects", "method=refined", "metrics=regions",
          "model.guidance=1"], "about 2.1 GiB at the peak by arithmetic"),
    ],
)  # fmt: skip
def test_what_a_gallery_takes_is_told(overrides, told, tmp_path):
    overrides = [*overrides, "workers.galleries_per_batch=1", f"output_dir={tmp_path}"]
    (cell,) = cells_of(rows_of(compose(overrides), overrides))
    assert any(told in line for line in plan(cell))
