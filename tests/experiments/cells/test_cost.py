"""Costs: every job is timed under every method, and the passes are those of the methods."""

from experiments.cells.build import cells_of
from experiments.cells.cost import time_galleries
from experiments.compose import compose, rows_of
from experiments.tables.scorerows import COLUMNS, pivot


def test_every_job_has_a_time_and_the_passes_of_its_method(tmp_path):
    overrides = ["experiment=table4", "task.num_prompts=2", "model.num_steps=2"]
    overrides += [f"output_dir={tmp_path}", f"results_dir={tmp_path}"]
    cells = cells_of(rows_of(compose(overrides), overrides))
    scores = time_galleries(cells, rounds=2, warm_up=1)
    rows = [cell.label for cell in cells]
    assert rows == ["iid", "iid+cno", "coupled", "coupled+cno"] and set(COLUMNS) <= set(scores)
    forward = pivot(scores, "forward", rows=rows)  # 3 images by 2 sampler steps, and 3 of CNO
    assert forward.to_numpy().tolist() == [[6, 15, 6, 15]] * 2
    assert (pivot(scores, "relative", rows=rows)["iid"] == 1).all()
    assert (pivot(scores, "seconds", rows=rows) > 0).all(axis=None)
    assert not list(tmp_path.glob("tiny-*"))  # nothing is committed
