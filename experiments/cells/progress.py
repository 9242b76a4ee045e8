"""How far a cell is: one live line over all its workers, or now and then a plain one in a log.

coupled:  42%|████      | 210/500 [01:12<01:40, 2.90gallery/s, 1 failed, 812 MiB]
"""

import sys
import time
from types import TracebackType

from tqdm import tqdm

SECONDS = 30.0  # between two plain lines
PLAIN = "{desc}: {n_fmt} of {total_fmt} in {elapsed}, {remaining} to go, {rate_fmt}{postfix}"


class Progress:
    """Galleries done of `total`, their rate, the time left, failed tries, memory at the peak."""

    def __init__(self, label: str, *, total: int) -> None:
        self._live = sys.stderr.isatty()
        self._bar = tqdm(desc=label, total=total, unit="gallery", disable=not self._live)
        self._label, self._total = label, total
        self._started = self._told = time.monotonic()
        self._done = self._failed = 0
        self._peak = 0.0

    def made(self, peak: float | None) -> None:
        """One more is committed; `peak` MiB of memory at the most."""
        self._done += 1
        self._peak = max(self._peak, peak or 0.0)
        self._bar.set_postfix_str(self._more, refresh=False)
        self._bar.update()
        self._tell_now_and_then()

    def failed(self) -> None:
        """One more try has failed."""
        self._failed += 1
        self._bar.set_postfix_str(self._more)
        self._tell_now_and_then()

    @property
    def _more(self) -> str:
        failed = f"{self._failed} failed, " if self._failed else ""
        return f"{failed}{self._peak:.0f} MiB"

    def _tell_now_and_then(self) -> None:
        if time.monotonic() - self._told >= SECONDS:
            self._tell()

    def _tell(self) -> None:
        if not self._live:
            self._told = time.monotonic()
            elapsed = self._told - self._started
            line = tqdm.format_meter(
                self._done,
                self._total,
                elapsed,
                prefix=self._label,
                unit="gallery",
                bar_format=PLAIN,
                postfix=self._more,
            )
            print(line, file=sys.stderr, flush=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
        self._tell()
