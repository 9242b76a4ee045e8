"""Lanes: the same results in the same order, a bounded number of them, and an end when asked."""

import threading
import time
from itertools import count

import pytest
import torch

from experiments.workers.lanes import in_lanes


@pytest.mark.parametrize("lanes", [1, 3])
def test_results_come_in_order(lanes):
    def work(n: int) -> int:
        threading.Event().wait(0.01 * (n % 3))
        return n * n

    assert list(in_lanes(work, range(20), lanes=lanes, threads=1)) == [n * n for n in range(20)]


def test_lanes_work_at_the_same_time():
    together = threading.Barrier(3, timeout=10)
    assert sorted(in_lanes(lambda _: together.wait(), range(3), lanes=3, threads=1)) == [0, 1, 2]


@pytest.mark.parametrize("lanes", [1, 2])
def test_no_more_than_a_few_results_wait(lanes):
    taken = count()
    results = in_lanes(lambda n: n, iter(lambda: next(taken), -1), lanes=lanes, threads=1)
    assert next(results) == 0
    results.close()
    assert next(taken) <= lanes + 1


def test_an_error_is_raised_where_its_result_would_have_been():
    def work(n: int) -> float:
        return 1 / (n - 2)

    results = in_lanes(work, range(9), lanes=2, threads=1)
    assert [next(results), next(results)] == [-0.5, -1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_who_stops_asking_waits_for_no_lane():
    begun, done = threading.Event(), []

    def work(n: int) -> int:
        if n:
            begun.set()
            for _ in range(3000):  # half a minute
                time.sleep(0.01)
            done.append(n)
        return n

    results = in_lanes(work, range(9), lanes=2, threads=1)
    assert next(results) == 0
    assert begun.wait(10)
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 5 and not done


def test_every_lane_has_its_threads_and_the_caller_keeps_its_own():
    here = torch.get_num_threads()
    asked = in_lanes(lambda _: torch.get_num_threads(), range(3), lanes=2, threads=3)
    assert list(asked) == [3, 3, 3]
    assert torch.get_num_threads() == here
