"""Boards of galleries around an object: what stands on them is what they say."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from experiments.figures import object_board, objects, reconstructions
from experiments.tables.results import Results
from experiments.tasks.objects import ObjectJob
from experiments.tasks.scenes import rendered


@pytest.fixture
def drawn(monkeypatch):
    """What is handed to the board."""
    boards = []
    monkeypatch.setattr(objects, "comparison_board", lambda rows, path: boards.append(rows))
    return boards


def results(*labels: str, size: int, brighter: int = 0) -> Results:
    """Table rows whose galleries are their pictures, some grey levels brighter."""
    jobs = [
        ObjectJob(f"{picture.id}-0", "", picture=picture, region=torch.ones(1, 1, dtype=bool))
        for picture in rendered(3, seed=0, image_size=32, prompt="a bedroom")
    ]
    images = {job.id: np.stack([job.picture.image // 2 + brighter] * size) for job in jobs}
    shown = SimpleNamespace(committed=lambda: {job: job for job in images}, read=images.get)
    for job in jobs:
        job.picture.image[:] = job.picture.image // 2
    table = SimpleNamespace(spec=SimpleNamespace(rows=labels))
    return Results(table, None, jobs=jobs, galleries=dict.fromkeys(labels, shown))


@pytest.mark.parametrize("size", [1, 3, 5])
def test_what_was_given_stands_above_what_was_made(drawn, size, tmp_path):
    table = results("one", "two", "three", size=size)
    object_board(table, tmp_path, num_pictures=2, rows=["one", "three"])
    (_, given), *made = drawn[0]
    assert [label for label, _ in made] == ["one", "three"]
    assert list(given) == ["scene-0-0", "scene-0-1"] == list(made[0][1])
    for job in table.jobs[:2]:
        picture, shown = job.picture, given[job.picture.id]
        assert len(shown) == size == len(made[0][1][picture.id])
        assert (shown[0] == picture.image).all()
        if size > 1:
            assert ((shown[1] == 255).all(-1) == picture.mask).all()
            assert (shown[2][picture.mask] == picture.image[picture.mask]).all()
            assert (shown[2][~picture.mask] == 255).all() and (shown[3:] == 255).all()


def test_a_reconstruction_carries_its_error(drawn, tmp_path):
    reconstructions(results("inversion", size=1, brighter=51), tmp_path, row="inversion",
                    num_pictures=2)  # fmt: skip
    (_, pictures), (_, again), (_, apart) = drawn[0]
    assert list(pictures) == list(again) == list(apart) == ["1: 0.200", "2: 0.200"]
    assert (again["2: 0.200"] == pictures["2: 0.200"] + 51).all()
    assert (apart["1: 0.200"] == 204).all()
