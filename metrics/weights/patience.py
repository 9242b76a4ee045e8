"""Requests to a hub: tried again a few times where it is busy, and nowhere else."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

REQUEST_SECONDS = 5.0
ATTEMPTS = 3
TRANSIENT = {408, 429, 500, 502, 503, 504}


def patiently(request: Callable[[], T]) -> T:
    """What `request` returns, after up to ATTEMPTS tries where the hub is busy.

    Raises:
        Exception: what the last try raised; `status_of` tells the hub's answer.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return request()
        except Exception as error:
            if status_of(error) not in TRANSIENT:
                raise
        time.sleep(2.0 ** (attempt - 1))
    return request()


def status_of(error: Exception) -> int | None:
    """The HTTP status behind an error of the hub's library; None where there was no answer."""
    answer = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    return getattr(answer, "status_code", None)
