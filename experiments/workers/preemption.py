"""Pre-emption: a signal ends a run in a way that a cluster can tell from a failure.

A scheduler that wants its machine back sends SIGTERM, or SIGUSR1 or SIGUSR2 where it was asked to
(`sbatch --signal=B:USR1@60`), and kills some time later. The galleries in hand are dropped, since
how long they would take is anybody's guess; what is committed stays, and the exit status is
REQUEUE: start the same command again, and it goes on. A second signal ends the process at once,
which loses nothing more.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

REQUEUE = 75
"""The exit status of a run that was pre-empted: EX_TEMPFAIL of sysexits.h, "try again"."""

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)
)


@contextmanager
def requeueable() -> Iterator[None]:
    """A context for the main thread, in which a signal raises SystemExit(REQUEUE).

    A handler that somebody else has set stays: submitit has its own, which requeues the job.
    """
    ours = [number for number in SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        _let_go()


@contextmanager
def kept() -> Iterator[None]:
    """Restores the signal handlers that are set within it: Ray sets one when it starts."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _: FrameType | None) -> None:
    _let_go()
    # not print: the signal may have come in the middle of one
    said = f"\n{signal.Signals(number).name}: stopped, run again to go on (exit status {REQUEUE})\n"
    os.write(2, said.encode())
    raise SystemExit(REQUEUE)


def _let_go() -> None:
    """Removes our handlers: the next signal ends the process."""
    for number in SIGNALS:
        if signal.getsignal(number) is _stop:
            signal.signal(number, signal.SIG_DFL)
