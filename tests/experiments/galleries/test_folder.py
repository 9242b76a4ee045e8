"""The folder's promise: what is in the manifest is whole; what is not does not exist."""

import copy
import json
import os
import pickle
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from coupling.drift import drift
from experiments.errors import UsageError
from experiments.galleries.folder import Archive, CellFolder, cell_key
from experiments.galleries.gallery import Gallery, encode, image_metadata
from experiments.galleries.writer import writing
from experiments.tasks.job import jobs_of

INPUTS = {"model": "m", "coupling": "iid", "seed": 3}
JOBS = jobs_of(["a cat", "a dog", "a fox"])
WHITE = drift(torch.randn(2, 3, 4, 4), torch.eye(2))


def gallery(job, *, fill=0):
    images = np.random.default_rng(fill).integers(0, 256, size=(2, 8, 8, 3), dtype=np.uint8)
    passes, loss = {"sample": 2, "forward": 1}, (0.5, 0.25)
    return Gallery(job, images, {"denoise": 0.5}, passes=passes, loss=loss, drift=WHITE)


@pytest.fixture
def folder(tmp_path):
    return CellFolder(tmp_path / "cell", INPUTS, gallery_size=2)


def commit(folder, jobs):
    with writing(folder) as writer:
        for job in jobs:
            writer.commit(encode(gallery(job), inputs=INPUTS, made_with={"torch": "2"}))


def test_a_committed_gallery_reads_back_with_how_it_was_made(folder):
    commit(folder, JOBS[:1])
    entry = folder.committed()[JOBS[0].id]
    np.testing.assert_array_equal(folder.read(entry), gallery(JOBS[0]).images)
    metadata = image_metadata(folder.image_paths(entry)[1])
    job = {"id": JOBS[0].id, "prompt": "a cat"}
    batch = {"galleries": 1, "members": [0, 1]}
    assert metadata == {**INPUTS, "job": job, "member": 1, "batch": batch}
    assert entry.seconds == {"denoise": 0.5} and entry.made_with == {"torch": "2"}
    assert entry.passes == {"sample": 2, "forward": 1}
    assert entry.loss == (0.5, 0.25) and entry.drift == WHITE


def test_an_entry_that_was_read_is_the_one_that_was_written(folder):
    """Though it keeps what is seldom asked for packed: copied, sent and changed, too."""
    with writing(folder) as writer:
        written = [
            writer.commit(encode(gallery(job), inputs=INPUTS, made_with={"torch": "2"}))
            for job in JOBS
        ]
    read = list(CellFolder(folder.path, INPUTS, gallery_size=2).committed().values())
    assert read == written and read[0].made_with is read[1].made_with
    for same in (copy.deepcopy(read), pickle.loads(pickle.dumps(read))):
        assert same == written
    assert [asdict(entry) for entry in read] == [asdict(entry) for entry in written]
    assert replace(read[0], peak=1.0) == replace(written[0], peak=1.0)
    assert not hasattr(read[0], "colour")


def test_the_same_gallery_has_the_same_bytes(folder, tmp_path):
    commit(folder, JOBS)
    other = CellFolder(tmp_path / "other", INPUTS, gallery_size=2)
    commit(other, reversed(JOBS))
    assert other.committed() == folder.committed()


def test_a_kill_before_the_rename_leaves_nothing_committed(folder, monkeypatch):
    commit(folder, JOBS[:1])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        commit(folder, JOBS[1:2])
    assert set(folder.committed()) == {JOBS[0].id}
    commit(folder, JOBS[1:2])
    assert set(folder.committed()) == {JOBS[0].id, JOBS[1].id}


def test_images_without_a_manifest_entry_are_written_anew(folder):
    commit(folder, JOBS)
    manifest = folder.path / "manifest.jsonl"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:2]))
    assert JOBS[2].id not in folder.committed()
    commit(folder, JOBS[2:])
    assert len(folder.committed()) == 3


def test_a_gallery_grows_by_what_it_lacks_and_a_kill_leaves_it_as_it_was(folder, monkeypatch):
    commit(folder, JOBS[:2])
    before = folder.committed()[JOBS[0].id]
    larger = CellFolder(folder.path, INPUTS, gallery_size=4)
    assert not larger.committed()
    assert larger.lacking(JOBS) == {range(2, 4): JOBS[:2], range(4): JOBS[2:]}

    later = replace(gallery(JOBS[0], fill=1), first=2)
    with (
        monkeypatch.context() as patch,
        pytest.raises(KeyboardInterrupt),
        writing(larger) as writer,
    ):
        patch.setattr(Path, "rmdir", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        writer.commit(encode(later, inputs=INPUTS, made_with={}))
    assert folder.committed()[JOBS[0].id] == before and not larger.committed()

    with writing(larger) as writer:
        writer.commit(encode(later, inputs=INPUTS, made_with={"torch": "2"}))
    entry = larger.committed()[JOBS[0].id]
    both = np.concatenate([gallery(JOBS[0]).images, later.images])
    np.testing.assert_array_equal(larger.read(entry), both)
    assert image_metadata(larger.image_paths(entry)[3])["batch"]["members"] == [2, 3]
    assert entry.seconds == {"denoise": 1.0}
    assert folder.committed()[JOBS[0].id].digest == before.digest


@pytest.mark.parametrize("cut", [1, 8])
def test_a_torn_last_line_costs_at_most_that_gallery(folder, cut):
    commit(folder, JOBS[:2])
    manifest = folder.path / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes()[:-cut])
    # one byte is the newline alone: the entry is whole
    assert len(folder.committed()) == (2 if cut == 1 else 1)
    commit(folder, JOBS[1:])
    assert list(folder.committed()) == [job.id for job in JOBS]
    assert all(json.loads(line) for line in manifest.read_text().splitlines())
    assert (folder.path / "manifest.damaged").exists() == (cut == 8)


def test_a_gallery_whose_images_were_removed_is_missing(folder):
    commit(folder, JOBS[:2])
    (folder.path / "galleries" / JOBS[0].id).rename(folder.path / "elsewhere")
    assert set(folder.committed()) == {JOBS[1].id}


def test_a_changed_image_is_refused(folder):
    commit(folder, JOBS[:1])
    entry = folder.committed()[JOBS[0].id]
    path = folder.image_paths(entry)[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"0\.png is not the image that was committed"):
        folder.read(entry)


def test_one_writer_at_a_time(folder):
    with writing(folder), pytest.raises(UsageError, match="another run is writing"):
        commit(CellFolder(folder.path, INPUTS, gallery_size=2), JOBS)


def test_the_key_is_of_the_values_not_of_their_order():
    assert cell_key({"a": 1, "b": [2.0]}) == cell_key({"b": [2.0], "a": 1})
    assert cell_key({"a": 1}) != cell_key({"a": 2})


def test_an_archive_reads_what_was_committed_without_being_told_what_it_is(folder):
    commit(folder, JOBS[:2])
    archive = Archive.at(folder.path)
    assert archive.inputs == INPUTS
    assert archive.entries() == folder.entries() == (folder.committed(), [])
    (folder.path / "cell.json").write_text("torn")
    assert Archive.at(folder.path).inputs == {}
