"""Lanes: the same results in the same order, a bounded number of them, each lane its own cores."""

import threading
from itertools import count

import pytest
import torch

from experiments.lanes import cores, in_lanes, threads_of_a_lane


@pytest.mark.parametrize("lanes", [0, 1, 3])
def test_results_come_in_order(lanes):
    def work(n: int) -> int:
        threading.Event().wait(0.01 * (n % 3))
        return n * n

    assert list(in_lanes(work, range(20), lanes=lanes)) == [n * n for n in range(20)]


def test_lanes_work_at_the_same_time():
    together = threading.Barrier(3, timeout=10)
    assert sorted(in_lanes(lambda _: together.wait(), range(3), lanes=3)) == [0, 1, 2]


@pytest.mark.parametrize("lanes", [1, 2])
def test_no_more_than_a_few_results_wait(lanes):
    taken = count()
    results = in_lanes(lambda n: n, iter(lambda: next(taken), -1), lanes=lanes)
    assert next(results) == 0
    results.close()
    assert next(taken) <= lanes + 1


@pytest.mark.parametrize("lanes", [0, 2])
def test_an_error_is_raised_where_its_result_would_have_been(lanes):
    def work(n: int) -> float:
        return 1 / (n - 2)

    results = in_lanes(work, range(9), lanes=lanes)
    assert [next(results), next(results)] == [-0.5, -1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_the_cores_are_divided_among_the_lanes_and_come_back():
    here = torch.get_num_threads()
    share = list(in_lanes(lambda _: torch.get_num_threads(), range(2), lanes=2))
    assert share == [max(1, cores() // 2)] * 2 == [threads_of_a_lane(2)] * 2
    assert torch.get_num_threads() == here
