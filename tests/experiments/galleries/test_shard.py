"""Shards: disjoint and complete; side by side in one cell; together what one run makes."""

import json
from pathlib import Path

import hydra
import numpy as np
import pytest
import torch

from coupling.drift import drift
from experiments.compose import CONFIGS
from experiments.errors import UsageError
from experiments.galleries.gallery import Gallery, encode
from experiments.galleries.ledger import Failure, Ledger
from experiments.galleries.shard import Shard
from experiments.galleries.store import GalleryStore
from experiments.run import run
from experiments.tasks.job import jobs_of

JOBS = jobs_of([f"prompt {i}" for i in range(40)])
WHITE = drift(torch.randn(2, 3, 4, 4), torch.eye(2))


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_job_is_in_one_shard_and_none_has_far_more_than_its_share(count):
    jobs = jobs_of([f"prompt {i}" for i in range(700)])
    shards = [Shard(i, count) for i in range(1, count + 1)]
    assert all(sum(job in shard for shard in shards) == 1 for job in jobs)
    share = 700 / count
    assert all(abs(sum(job in s for job in jobs) - share) < 4 * share**0.5 for s in shards)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3", 1])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(UsageError, match=r"must be i/n, from 1/n to n/n"):
        Shard.parse(text)
    assert Shard.parse("2/4") == Shard(2, 4)


def _store(folder: Path, shard: str | None = None) -> GalleryStore:
    part = Shard.parse(shard) if shard else None
    return GalleryStore(folder / "cell", {"seed": 1}, gallery_size=1, shard=part)


def _commit(store: GalleryStore, *jobs) -> None:
    for job in jobs:
        pixels = np.random.default_rng(int(job.id, 16)).integers(0, 256, (1, 4, 4, 3), np.uint8)
        made = Gallery(job, pixels, {}, passes={}, loss=(), drift=WHITE)
        store.commit(encode(made, inputs={}, made_with={}))


def test_shards_write_side_by_side_and_see_what_the_others_have(tmp_path):
    first, second = _store(tmp_path, "1/2"), _store(tmp_path, "2/2")
    with first, second:
        _commit(first, JOBS[0])
        _commit(second, JOBS[1])
        _commit(first, JOBS[2])
        for store in (first, second, _store(tmp_path)):
            assert store.committed().keys() == {job.id for job in JOBS[:3]}


@pytest.mark.parametrize(
    ("there", "comes"), [("1/2", None), (None, "1/2"), ("1/2", "2/3"), ("1/2", "1/2")]
)
def test_whose_galleries_might_be_the_same_are_kept_apart(there, comes, tmp_path):
    with (
        _store(tmp_path, there),
        pytest.raises(UsageError, match="another run is writing"),
        _store(tmp_path, comes),
    ):
        pass
    with _store(tmp_path, comes):
        pass


def test_the_next_run_that_is_no_shard_joins_the_manifests(tmp_path):
    with _store(tmp_path) as store:
        _commit(store, JOBS[0])
    for number in (1, 2):
        with _store(tmp_path, f"{number}/2") as store:
            _commit(store, JOBS[number])
    with (tmp_path / "cell" / "manifest-1-of-2.jsonl").open("a") as file:
        file.write('{"job": "torn')
    before = _store(tmp_path).committed()
    with _store(tmp_path):
        pass
    assert [path.name for path in (tmp_path / "cell").glob("manifest*.jsonl")] == ["manifest.jsonl"]
    assert _store(tmp_path).committed() == before and len(before) == 3
    assert (tmp_path / "cell" / "manifest.damaged").read_text() == '{"job": "torn\n'


def test_a_shard_mends_its_own_manifest_alone(tmp_path):
    for number in (1, 2):
        with _store(tmp_path, f"{number}/2") as store:
            _commit(store, JOBS[number])
    first, second = (tmp_path / "cell" / f"manifest-{i}-of-2.jsonl" for i in (1, 2))
    for path in (first, second):
        path.write_text(path.read_text() + "torn")
    with _store(tmp_path, "1/2"):
        pass
    assert not first.read_text().endswith("torn") and second.read_text().endswith("torn")
    assert len(_store(tmp_path).committed()) == 2


def test_failures_are_written_apart_and_read_together(tmp_path):
    for shard in (None, Shard(1, 2), Shard(2, 2)):
        failure = Failure.now(JOBS[0], attempt=1, error=f"shard {shard}", final=True)
        Ledger(tmp_path, shard).append(failure)
    assert len(list(tmp_path.glob("failures*.jsonl"))) == 3
    errors = [failure.error for failure in Ledger(tmp_path).read()]
    assert errors == ["shard None", "shard 1-of-2", "shard 2-of-2"]


def _run(folder: Path, *overrides: str) -> None:
    here = [f"output_dir={folder / 'outputs'}", f"results_dir={folder / 'results'}"]
    quick = ["task.num_prompts=6", "model.num_steps=2", "workers.galleries_per_batch=2"]
    everything = ["experiment=demo", "table.figures=null", *quick, *here, *overrides]
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        run(hydra.compose("config", overrides=everything), overrides=everything)


def _galleries(folder: Path) -> dict[tuple[str, str], list[str]]:
    """The image hashes of every gallery by cell and job, and how often it was committed."""
    return {
        (path.parent.name, row["job"]): row["images"]
        for path in folder.glob("outputs/*/manifest*.jsonl")
        for row in map(json.loads, path.read_text().splitlines())
    }


def test_shards_and_a_run_that_scores_are_as_good_as_one_run(tmp_path, capsys):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    _run(whole)
    for number in (2, 1):
        _run(cut, f"shard={number}/2")
        assert not (cut / "results").exists()
    assert "shard 1/2 is done; 0 galleries of the others are missing" in capsys.readouterr().out
    assert _galleries(cut) == _galleries(whole)
    _run(cut)
    assert capsys.readouterr().out.count("6 galleries, nothing to generate") == 2
    for name in ("tiny.csv", "tiny.md", "tiny.tex", "tiny-scores.csv"):
        paths = [folder / "results" / "demo" / name for folder in (whole, cut)]
        assert paths[0].read_bytes() == paths[1].read_bytes()
