"""How a command ends: in one line, whether the user can mend an error or stops it.

    @command(status=2)
    def main(arguments: Sequence[str] | None = None) -> int: ...

Whatever is made step by step says beside Ctrl-C how far it is:

    with resumable(lambda: f"{done} of {total} galleries are committed"):
        ...
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOPPED = 130
"""The exit status after Ctrl-C, 128 + SIGINT, as shells have it."""


class UsageError(Exception):
    """One line that says what is wrong and how to mend it; shown without a traceback."""


@contextmanager
def command(*, status: int = 1) -> Iterator[None]:
    """Within it, a UsageError ends the program in one line with `status`; Ctrl-C with STOPPED."""
    try:
        yield
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(status) from None
    except KeyboardInterrupt as stop:
        exec("")  # or Python, which saw runpy's exec interrupted, would end itself by the signal
        print("; ".join(["stopped", *map(str, stop.args)]), file=sys.stderr)
        raise SystemExit(STOPPED) from None


@contextmanager
def resumable(so_far: Callable[[], str]) -> Iterator[None]:
    """Within it, Ctrl-C says how far things are, and that the same command goes on from there."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(f"{so_far()}, run the same command again to go on") from stop
