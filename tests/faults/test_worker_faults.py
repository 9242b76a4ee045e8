"""Faults of workers: whatever happens to one costs at most what it has in hand."""

import json
import time
from collections import Counter

import pytest
from runs import actors, committed, one_lane
from stubs import Hangs, Killed, Naps, Poison, Sees, Small, picture

from experiments.cells.measure import make, score, unfinished
from experiments.compose import build, compose
from experiments.errors import UsageError
from experiments.galleries.gallery import encode
from experiments.galleries.writer import writing
from experiments.methods.coupled import Coupled
from experiments.report.publish import write_table
from experiments.tables import table as tables
from experiments.tables.spec import TableSpec


def test_01_worker_killed(stub, two_actors, tmp_path):
    """Only the gallery in hand is made again, and nothing shows that anything happened."""
    clean = stub(6, name="clean")
    clean.make()
    victim = clean.cell.jobs[3].id
    struck = stub(6, fault=Killed(tmp_path / "struck", victim), workers=two_actors)
    struck.make()
    assert Counter(struck.method.executions()) == Counter(clean.method.executions()) + Counter(
        [victim]
    )
    assert struck.hashes().keys() == clean.hashes().keys()
    (failure,) = struck.failures()
    assert failure.job == victim and not failure.final and failure.error.endswith("died")
    assert {row["job"]: row["attempts"] for row in struck.manifest_lines()}[victim] == 2


def test_06_the_same_gallery_twice(stub, two_actors, tmp_path):
    """A worker dies after the work and before its answer: done twice, counted once."""
    victim = stub(3).cell.jobs[0]
    twice = stub(3, after=Killed(tmp_path / "struck", victim.id), workers=two_actors)
    twice.make()
    assert Counter(twice.method.executions())[victim.id] == 2
    before = twice.manifest_lines()
    assert sorted(row["job"] for row in before) == sorted(job.id for job in twice.cell.jobs)

    with writing(twice.folder) as writer:  # and if both answers came
        writer.commit(encode(picture(victim, constant=True), inputs={}, made_with={}))
    assert twice.manifest_lines() == before


def test_07_another_worker_count(stub, ray_session):
    """Half by one worker, the rest by two: the same galleries, none lost, none twice."""
    alone = stub(6, name="alone", workers=one_lane(1, retries=0))
    alone.make()
    for count, workers in ((3, actors(1)), (6, actors(2))):
        half = stub(count, workers=workers)
        half.make()
        workers.close()
    assert half.hashes() == alone.hashes()
    assert Counter(half.method.executions()) == Counter(alone.method.executions())


def test_every_gpu_has_an_actor_that_sees_no_other(stub, ray_session, tmp_path, monkeypatch):
    """workers=auto, on two cards that Ray only believes in."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    workers = build("workers", compose(["workers.galleries_per_batch=1"]))
    monkeypatch.undo()
    workers.cpus = 0.25  # other actors have the rest
    stub(4, fault=Sees(tmp_path, workers=2), workers=workers).make()
    workers.close()
    assert {path.name for path in tmp_path.glob("gpu-*")} == {"gpu-0", "gpu-1"}


@pytest.mark.timeout(60)
def test_08_fewer_galleries_than_workers(stub, two_actors):
    one = stub(1, workers=two_actors)
    one.make()
    assert one.method.executions() == [one.cell.jobs[0].id]
    assert len(one.manifest_lines()) == 1


def test_10_another_order(stub, two_actors, tmp_path):
    """However long each batch takes, scores and tables have the same bytes."""
    columns = {"l2": {"label": "L2", "better": "higher", "digits": 3}}
    spec = TableSpec("t", "T", ["stub"], columns, {}, None, jobs=8)
    written, orders = [], []
    alone = one_lane(1, retries=0)
    for name, nap, workers in (("a", None, alone), ("b", 0, two_actors), ("c", 1, two_actors)):
        fault = None if nap is None else Naps(nap)
        done = stub(8, name=name, fault=fault, workers=workers)
        done.make()
        table = tables.build(spec, done.cell.score(), paper_model="tiny")
        paths = write_table(table, tmp_path / name, "t", made_by={})
        written.append([path.read_bytes() for path in (done.cell.score_file, *paths)])
        orders.append([row["job"] for row in done.manifest_lines()])
    assert written[0] == written[1] == written[2]
    assert orders[0] != orders[1] != orders[2]


def test_11_out_of_memory(stub):
    """Eight do not fit, nor do four: from there on it is two at a time, and no gallery is lost."""
    eight = one_lane(8, retries=2)
    little = stub(12, fault=Small(2), workers=eight)
    little.make()
    sizes = [int(line.split()[1]) for line in little.method.lines()]
    assert sizes == [8] * 8 + [4] * 4 + [2] * 12
    assert len(little.hashes()) == 12
    assert all("out of memory" in failure.error for failure in little.failures())

    least = stub(3, name="least", fault=Small(0), workers=eight)
    with pytest.raises(UsageError, match="one gallery of 2 images does not fit"):
        least.make()


@pytest.mark.parametrize("kind", ["local", "ray"])
def test_12_poison_prompt(stub, kind, request):
    """It is tried as often as allowed, is in the ledger, and the others finish."""
    workers = request.getfixturevalue("two_actors") if kind == "ray" else None
    done = stub(5, fault=Poison("prompt 2"), workers=workers)
    make([done.cell])
    scores = score([done.cell])
    poisoned = done.cell.jobs[2]
    assert set(done.hashes()) == {job.id for job in done.cell.jobs} - {poisoned.id}
    tries = [failure for failure in done.failures() if failure.job == poisoned.id]
    assert [failure.attempt for failure in tries] == [1, 2, 3]
    assert [failure.final for failure in tries] == [False, False, True]
    assert "cannot tokenise 'prompt 2'" in tries[-1].error
    assert poisoned.id not in set(scores["job"])
    assert f"1 given up (stub/{poisoned.id})" in unfinished([done.cell])


def test_12_poison_prompt_of_a_table(here, tmp_path, monkeypatch, capsys):
    """The run ends with an error; the table is refused, or shows its n."""
    make = Coupled.make

    def poisoned(self, model, jobs, *, seed, members):
        if any(job.id == bad for job in jobs):
            raise ValueError("poison")
        return make(self, model, jobs, seed=seed, members=members)

    here("task.num_prompts=4")
    bad = next(iter(committed(tmp_path))).split("/")[1]
    monkeypatch.setattr(Coupled, "make", poisoned)
    table = ["experiment=demo", "task.num_prompts=4", "seed=1"]
    with pytest.raises(UsageError, match=r"2 given up .*ValueError: poison.*allow_partial"):
        here(*table)
    assert not (tmp_path / "results" / "demo").exists()
    capsys.readouterr()
    with pytest.raises(UsageError, match="2 given up"):
        here(*table, "allow_partial=true")
    document = json.loads((tmp_path / "results" / "demo" / "tiny.json").read_text())
    assert {cell["n"] for cell in document["cells"]} == {3}
    assert "has 3 of 4 galleries" in capsys.readouterr().out


@pytest.mark.timeout(120)
def test_14_hang(stub, two_actors, tmp_path, monkeypatch):
    """The silent worker is given up and replaced; its batch is made by another."""
    monkeypatch.setattr(two_actors, "batch_seconds", 4.0)
    count = 4
    victim = stub(count).cell.jobs[1].id
    hung = stub(count, fault=Hangs(tmp_path / "hung", victim), workers=two_actors)
    began = time.monotonic()
    hung.make()
    assert 4 <= time.monotonic() - began < 60
    assert len(hung.hashes()) == count
    (failure,) = hung.failures()
    assert failure.job == victim and "gave no answer in 4 s" in failure.error
