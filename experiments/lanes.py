"""Several device batches at once, in order: a lane is a thread that makes one batch after another.

The operations of a small model are too short to be shared among cores, which then wait for each
other. Lanes share batches instead, a core for each, so that nobody waits. On a GPU one lane is
enough: it is busy with the next batch while the caller writes the last one. PyTorch, zlib and the
disk release Python's lock while they work.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def in_lanes(work: Callable[[T], R], items: Iterable[T], *, lanes: int) -> Iterator[R]:
    """Yields `work(item)` for every item, in order, computed in `lanes` threads.

    One item waits beside those in the making. Without lanes (0) the work is done here, when its
    result is asked for. An error is raised where its result would have been
    yielded; what has begun is then waited for, and nothing else is begun.

    The cores are divided among the lanes: each has as many threads for its operations as it has
    cores, at least one.
    """
    if lanes == 0:
        yield from map(work, items)
        return
    here, threads = torch.get_num_threads(), threads_of_a_lane(lanes)
    ahead: deque = deque()
    pool = ThreadPoolExecutor(lanes, "lane", initializer=torch.set_num_threads, initargs=(threads,))
    try:
        for item in items:
            ahead.append(pool.submit(work, item))
            if len(ahead) > lanes:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(here)  # libraries take the lanes' number as everybody's


def threads_of_a_lane(lanes: int) -> int | None:
    """How many each of `lanes` has for its operations; None without lanes: not ours to say."""
    return max(1, cores() // lanes) if lanes else None


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
