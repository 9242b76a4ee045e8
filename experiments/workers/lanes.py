"""Several device batches at once, in order: a lane is a thread that makes one batch after another.

The operations of a small model are too short to be shared among cores, which then wait for each
other. Lanes share batches instead, so that nobody waits. On a GPU one lane is enough: it is busy
with the next batch while the caller writes the last one. PyTorch, zlib and the disk release
Python's lock while they work.
"""

import ctypes
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock, get_ident
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def in_lanes(
    work: Callable[[T], R], items: Iterable[T], *, lanes: int, threads: int
) -> Iterator[R]:
    """Yields `work(item)` for every item, in order, computed in `lanes` threads at once.

    One item waits beside those in the making. An error is raised where its result would have been
    yielded. A caller that stops asking stops the lanes: what has begun is interrupted, as a signal
    interrupts the main thread, and nothing else is begun.

    Args:
        threads: that every lane has for each operation of PyTorch.
    """
    here = torch.get_num_threads()
    busy: set[int] = set()
    leaving = Lock()  # a lane is interrupted in its work, and never between two items
    ahead: deque[Future[R]] = deque()

    def in_a_lane(item: T) -> R:
        busy.add(get_ident())
        try:
            return work(item)
        finally:
            with leaving:
                busy.discard(get_ident())

    pool = ThreadPoolExecutor(lanes, "lane", initializer=torch.set_num_threads, initargs=(threads,))
    try:
        for item in items:
            ahead.append(pool.submit(in_a_lane, item))
            if len(ahead) > lanes:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        with leaving:
            for lane in busy:
                _interrupt(lane)
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(here)  # libraries take the lanes' number as everybody's


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _interrupt(lane: int) -> None:
    """Raises SystemExit in a thread, between two operations.

    Plain Python has daemon threads for this, which end with the process. But one that is inside
    PyTorch then aborts it ("terminate called without an active exception", exit status 134).
    """
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(lane), ctypes.py_object(SystemExit))
