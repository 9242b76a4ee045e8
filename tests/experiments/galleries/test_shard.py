"""Shards: disjoint and complete; side by side in one cell; together what one run makes."""

import json
from contextlib import AbstractContextManager
from pathlib import Path

import hydra
import numpy as np
import pytest
import torch

from coupling.drift import drift
from experiments.compose import CONFIGS
from experiments.errors import UsageError
from experiments.galleries.folder import CellFolder
from experiments.galleries.gallery import Gallery, encode
from experiments.galleries.manifest import Failure
from experiments.galleries.shard import Shard
from experiments.galleries.writer import Writer, writing
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


@pytest.fixture
def folder(tmp_path) -> CellFolder:
    return CellFolder(tmp_path / "cell", {"seed": 1}, gallery_size=1)


def _writing(folder: CellFolder, shard: str | None = None) -> AbstractContextManager[Writer]:
    """As another process would."""
    own = CellFolder(folder.path, folder.inputs, gallery_size=1)
    return writing(own, Shard.parse(shard) if shard else None)


def _commit(writer: Writer, *jobs) -> None:
    for job in jobs:
        pixels = np.random.default_rng(int(job.id, 16)).integers(0, 256, (1, 4, 4, 3), np.uint8)
        made = Gallery(job, pixels, {}, passes={}, loss=(), drift=WHITE)
        writer.commit(encode(made, inputs={}, made_with={}))


def test_shards_write_side_by_side_and_all_is_seen(folder):
    with _writing(folder, "1/2") as first, _writing(folder, "2/2") as second:
        _commit(first, JOBS[0])
        assert len(folder.committed()) == 1
        _commit(second, JOBS[1])
        _commit(first, JOBS[2])
        assert folder.committed().keys() == {job.id for job in JOBS[:3]}


@pytest.mark.parametrize(
    ("there", "comes"), [("1/2", None), (None, "1/2"), ("1/2", "2/3"), ("1/2", "1/2")]
)
def test_whose_galleries_might_be_the_same_are_kept_apart(there, comes, folder):
    with (
        _writing(folder, there),
        pytest.raises(UsageError, match="another run is writing"),
        _writing(folder, comes),
    ):
        pass
    with _writing(folder, comes):
        pass


def test_the_next_writer_that_is_no_shard_joins_the_manifests(folder):
    with _writing(folder) as writer:
        _commit(writer, JOBS[0])
    for number in (1, 2):
        with _writing(folder, f"{number}/2") as writer:
            _commit(writer, JOBS[number])
    with _manifest(folder, 1).open("a") as file:
        file.write('{"job": "torn')
    before = folder.committed()
    with _writing(folder):
        pass
    assert list(folder.path.rglob("manifest.jsonl")) == [folder.path / "manifest.jsonl"]
    assert folder.committed() == before and len(before) == 3
    assert (folder.path / "manifest.damaged").read_text() == '{"job": "torn\n'


def test_a_shard_mends_its_own_manifest_alone(folder):
    for number in (1, 2):
        with _writing(folder, f"{number}/2") as writer:
            _commit(writer, JOBS[number])
    first, second = (_manifest(folder, number) for number in (1, 2))
    for path in (first, second):
        path.write_text(path.read_text() + "torn")
    with _writing(folder, "1/2"):
        pass
    assert not first.read_text().endswith("torn") and second.read_text().endswith("torn")
    assert len(folder.committed()) == 2


def _manifest(folder: CellFolder, number: int) -> Path:
    return Shard(number, 2).folder(folder.path) / "manifest.jsonl"


def test_failures_are_written_apart_and_read_together(tmp_path):
    folder = CellFolder(tmp_path, {}, gallery_size=1)
    for shard in (Shard(1, 2), Shard(2, 2), None):
        with writing(folder, shard) as writer:
            writer.note(
                Failure(JOBS[0].id, JOBS[0].prompt, attempt=1, error=str(shard), final=True)
            )
    assert len(list(tmp_path.rglob("failures.jsonl"))) == 3
    errors = [failure.error for failure in folder.failures()]
    assert errors == [str(shard) for shard in (None, Shard(1, 2), Shard(2, 2))]


def _run(folder: Path, *overrides: str) -> None:
    here = [f"output_dir={folder / 'outputs'}", f"results_dir={folder / 'results'}"]
    quick = ["task.num_prompts=6", "model.num_steps=2", "workers.galleries_per_batch=2"]
    everything = ["experiment=demo", "table.figures=null", *quick, *here, *overrides]
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        run(hydra.compose("config", overrides=everything), overrides=everything)


def _galleries(folder: Path) -> dict[tuple[str, str], list[str]]:
    """The image hashes of every gallery by cell and job, and how often it was committed."""
    return {
        (path.relative_to(folder).parts[1], row["job"]): row["images"]
        for path in folder.glob("outputs/**/manifest.jsonl")
        for row in map(json.loads, path.read_text().splitlines())
    }


@pytest.mark.walks
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
