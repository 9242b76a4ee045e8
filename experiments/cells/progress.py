"""How far a cell is: one live line over all its workers, or now and then a plain one in a log.

coupled:  42%|████      | 210/500 [01:12<01:40, 2.90gallery/s, 1 failed, 8.7 images/s, 812 MiB]
"""

import sys
import time
from functools import partial

from tqdm import tqdm

SECONDS = 30.0  # between two plain lines
PLAIN = "{desc}: {n_fmt} of {total_fmt} in {elapsed}, {remaining} to go, {rate_fmt}{postfix}"


class Progress:
    """Galleries done of `total`, their rate and that of their images, `size` a gallery, the time
    left, failed tries, memory at the peak.
    """

    def __init__(self, label: str, *, total: int, size: int) -> None:
        self._size = size
        self._live = sys.stderr.isatty()
        self._bar = tqdm(desc=label, total=total, unit="gallery", disable=not self._live)
        plain = partial(tqdm.format_meter, bar_format=PLAIN, unit="gallery")
        self._line = partial(plain, total=total, prefix=label)
        self._started = self._told = time.monotonic()
        self._done = self._failed = 0
        self._peak = 0.0

    def made(self, peak: float | None) -> None:
        """One more is committed; `peak` MiB of memory at the most."""
        self._done += 1
        self._peak = max(self._peak, peak or 0.0)
        self._bar.update()
        self._tell()

    def failed(self) -> None:
        """One more try has failed."""
        self._failed += 1
        self._tell()

    def _tell(self, every: float = SECONDS) -> None:
        """Shows what changed; where nobody watches, at most once in so many seconds."""
        now = time.monotonic()
        rate = self._done * self._size / max(now - self._started, 1e-3)
        more = f"{self._failed} failed, " if self._failed else ""
        more += f"{rate:.3g} images/s, {self._peak:.0f} MiB"
        self._bar.set_postfix_str(more)
        if not self._live and now - self._told >= every:
            self._told = now
            line = self._line(self._done, elapsed=now - self._started, postfix=more)
            print(line, file=sys.stderr, flush=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        self._tell(every=0.0)
