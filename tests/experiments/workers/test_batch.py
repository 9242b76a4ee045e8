"""Batches: galleries stay whole, none is lost or handed out twice, sizes only shrink."""

import pytest

from experiments.errors import UsageError
from experiments.tasks.job import jobs_of
from experiments.workers.batch import Batch, Queue
from experiments.workers.local import LocalWorkers

JOBS = jobs_of([f"prompt {k}" for k in range(7)])


def drain(queue: Queue) -> list[Batch]:
    return list(iter(queue.take, None))


def test_every_gallery_is_handed_out_once_with_its_members():
    queue = Queue({range(3): JOBS[:5], range(2, 3): JOBS[5:]}, size=4)
    assert len(queue) == 3
    batches = drain(queue)
    assert [(batch.jobs, batch.members) for batch in batches] == [
        (tuple(JOBS[:4]), range(3)),
        (tuple(JOBS[4:5]), range(3)),
        (tuple(JOBS[5:]), range(2, 3)),
    ]
    assert len(queue) == 0 and {batch.attempt for batch in batches} == {1}


def test_what_is_put_back_comes_first_and_alone_in_the_same_shape():
    queue = Queue({range(3): JOBS}, size=3)
    first = queue.take()
    queue.put_back(first.alone())
    again = [queue.take() for _ in range(3)]
    assert [batch.jobs for batch in again] == [(job,) for job in JOBS[:3]]
    assert {(batch.size, batch.attempt) for batch in again} == {(3, 2)}
    assert queue.take().jobs == tuple(JOBS[3:6])


def test_a_smaller_size_holds_for_what_was_put_back_before_and_for_all_that_follows():
    queue = Queue({range(3): JOBS}, size=4)
    one, other = queue.take(), queue.take()
    queue.shrink(one)
    queue.shrink(other)  # of another worker, at the old size: not halved once more
    batches = drain(queue)
    assert {batch.size for batch in batches} == {2}
    assert sorted(job.id for batch in batches for job in batch.jobs) == sorted(j.id for j in JOBS)


def test_a_single_gallery_that_does_not_fit_ends_it():
    queue = Queue({range(3): JOBS}, size=1)
    with pytest.raises(UsageError, match="one gallery of 3 images does not fit"):
        queue.shrink(queue.take())


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"galleries_per_batch": 0}, "galleries_per_batch = 0"),
        ({"galleries_per_batch": "many"}, "galleries_per_batch"),
        ({"threads": 0}, "threads = 0"),
        ({"retries": -1}, "retries"),
    ],
)
def test_limits_out_of_range_are_named(wrong, named):
    with pytest.raises(UsageError, match=f"workers.{named}"):
        LocalWorkers(**{"galleries_per_batch": 8, "threads": 1, "retries": 2, "lanes": 1} | wrong)
