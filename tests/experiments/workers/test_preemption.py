"""Signals of pre-emption: the first unwinds with a status of its own, the second ends at once."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.workers.preemption import REQUEUE, SIGNALS, kept, requeueable

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def handlers():
    """Those of a fresh process."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_unwinds_with_the_requeue_status(number):
    closed = []
    with pytest.raises(SystemExit) as caught, requeueable():
        try:
            signal.raise_signal(number)
        finally:
            closed.append(number)
    assert caught.value.code == REQUEUE and closed == [number]


def test_afterwards_all_is_as_it_was():
    with requeueable():
        pass
    assert {signal.getsignal(number) for number in SIGNALS} == {signal.SIG_DFL}


def test_handlers_of_others_stay():
    """submitit requeues its jobs in a handler of its own."""
    theirs = []
    signal.signal(signal.SIGUSR2, lambda *_: theirs.append("requeued"))
    with requeueable():
        signal.raise_signal(signal.SIGUSR2)
    assert theirs == ["requeued"]
    assert signal.getsignal(signal.SIGUSR2) is not signal.SIG_DFL


def test_handlers_are_kept_from_libraries_that_set_their_own():
    with pytest.raises(SystemExit) as caught, requeueable():
        with kept():
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.code == REQUEUE


def test_a_second_signal_does_not_wait_for_the_first():
    program = """
import time
from experiments.workers.preemption import requeueable
with requeueable():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("unwinding", flush=True)
        time.sleep(60)
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in ("ready\n", "unwinding\n"):
            assert process.stdout.readline() == line
            process.terminate()
        assert process.wait(10) == -signal.SIGTERM
