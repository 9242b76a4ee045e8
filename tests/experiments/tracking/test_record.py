"""What is told of a cell is what its scores and its galleries are."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from coupling import repulsive
from coupling.drift import drift
from experiments.cells.cell import Cell
from experiments.cells.production import Production
from experiments.galleries.folder import CellFolder
from experiments.galleries.gallery import Gallery, encode
from experiments.galleries.writer import writing
from experiments.tasks.job import jobs_of
from experiments.tracking.record import of_cell, of_table, shareable
from experiments.workers.batch import Recipe

CONFIG = {
    "model": {"name": "tiny"},
    "coupling": {"_target_": "coupling.repulsive", "size": 3},
    "optimizer": {"_target_": "coupling.Contrastive"},
    "task": {},
}
JOBS = jobs_of(["a bed", "a rug", "a lamp"])


@pytest.fixture
def cell(tmp_path):
    """Three committed galleries, one colour an image."""
    law = repulsive(3)
    folder = CellFolder(tmp_path / "cell", {}, gallery_size=3)
    with writing(folder) as writer:
        for order, job in enumerate(JOBS):
            gallery = Gallery(
                job=job,
                images=np.full((3, 8, 8, 3), 10 * order, np.uint8),
                seconds={},
                passes={"sample": 1},
                loss=(),
                drift=drift(law.sample((4, 8, 8), seed=order), law.correlation),
            )
            writer.commit(encode(gallery, inputs={}, made_with={}))
    recipe = Recipe(method=None, seed=0, inputs={}, model=None)
    production = Production("coupled", JOBS, folder, recipe, None, None)
    file = tmp_path / "tiny-a 1.jsonl"
    return Cell("coupled", 0, JOBS, folder, folder.path, None, file, production)


def scores(values: dict[str, list[float]], row: str = "coupled") -> pd.DataFrame:
    return pd.DataFrame(
        {"row": row, "seed": 0, "job": job.id, "metric": metric, "value": value}
        for metric, column in values.items()
        for job, value in zip(JOBS, column, strict=False)
    )


def record(cell, values, config=CONFIG, num_galleries=2):
    return of_cell(cell, values, config=config, table="table1", num_galleries=num_galleries)


def test_the_summary_is_of_the_cells_own_rows(cell):
    both = pd.concat([scores({"l2": [1, 2, 6], "mss": [0.5]}), scores({"l2": [9, 9, 9]}, "iid")])
    found = record(cell, both)
    moments = {"mean": 3.0, "std": pytest.approx(7**0.5), "n": 3}
    assert found.summary["l2"] == moments | {"unit": "1"}
    assert found.summary["mss"] == {"mean": 0.5, "std": None, "n": 1, "unit": "1"}
    assert record(cell, scores({"seconds": [1, 2]})).summary["seconds"]["unit"] == "s"


def test_a_line_for_each_prompt_in_the_order_of_the_task(cell):
    found = record(cell, scores({"l2": [1.5, 2, 6], "a": [0.5, 3]}))
    assert found.columns == ("prompt", "job", "l2", "a")
    assert found.lines[0] == ("a bed", JOBS[0].id, 1.5, 0.5)
    assert [line[0] for line in found.lines] == ["a bed", "a rug", "a lamp"]
    assert found.lines[2][-1] is None


def test_the_first_galleries_are_shown(cell):
    found = record(cell, scores({"l2": [1, 2, 6]}))
    assert [images.shape for images in found.galleries] == [(3, 8, 8, 3)] * 2
    assert [images.max() for images in found.galleries] == [0, 10]


def test_the_law_of_the_noises_stands_beside_what_was_measured(cell):
    found = record(cell, scores({"l2": [1, 2, 6]})).matrices
    np.testing.assert_allclose(found["coupling"], 1.5 * np.eye(3) - 0.5)
    measured = [row.drift.correlation for row in cell.entries()]
    np.testing.assert_allclose(found["measured"], np.mean(measured, axis=0))


def test_names_and_tags(cell):
    found = record(cell, scores({"l2": [1, 2, 6]}))
    assert (found.id, found.name, found.group) == ("tiny-a-1", "coupled", "table1")
    assert found.tags == ("tiny", "repulsive", "contrastive")
    assert record(cell, scores({"l2": [1]}), CONFIG | {"optimizer": {}}).tags[-1] == "none"
    assert record(cell, scores({"l2": [1]}), CONFIG | {"task": {"path": "a"}}).tags == ("foreign",)


def test_scores_and_the_coupling_s_card_are_artifacts(cell, tmp_path):
    for path in (cell.score_file, tmp_path / "c.safetensors", tmp_path / "c.json"):
        path.touch()
    card = {"coupling": {"_target_": "a.Card", "card": str(tmp_path / "c.safetensors")}}
    assert record(cell, scores({"l2": [1]}), CONFIG | card).artifacts == {
        ("tiny-a-1-scores", "scores"): (cell.score_file,),
        ("tiny-a-1-card", "coupling-card"): (tmp_path / "c.safetensors", tmp_path / "c.json"),
        ("tiny-a-1-galleries", "galleries"): (cell.place / "manifest.jsonl",),
    }


def test_a_configuration_is_told_without_what_is_this_machines(tmp_path):
    given = {"output_dir": "o", "model": {"source": str(tmp_path / "w"), "of": ["a", "/b/c"]}}
    assert shareable(given) == {"model": {"source": "w", "of": ["a", "c"]}}


def test_a_table_is_named_by_its_cells_and_shows_its_pictures(cell):
    cells = [record(cell, scores({"l2": [1, 2, 6]}))]
    files = [Path("tiny.csv"), Path("tiny-effects.png"), Path("tiny-effects.pdf")]
    found = of_table("table1", cells, model="tiny", config={}, files=files)
    other = of_table("table1", cells * 2, model="tiny", config={}, files=files)
    assert found.id.startswith("tiny-table1-") and found.id != other.id
    assert found.figures == {"effects": Path("tiny-effects.png")}
    assert found.artifacts == {(found.id, "table"): (Path("tiny.csv"),)}
    assert found.uses == cells[0].artifacts and ("tiny-a-1-galleries", "galleries") in found.uses
