"""Variants that are folders of a hub repository at one commit, kept in the hub's own cache."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from metrics.weights.variant import Variant, WeightsError, verify

T = TypeVar("T")

REQUEST_SECONDS = 5.0
ATTEMPTS = 3
TRANSIENT = {408, 429, 500, 502, 503, 504}


@dataclass(frozen=True, kw_only=True)
class HubVariant(Variant):
    """Some files of a repository. sha256: of its safetensors, where an independent record of it is
    known; else, or without that file, the commit alone pins the content, and the file is held
    against the checksum under which the hub's cache stores it.
    """

    repository: str
    revision: str
    files: tuple[str, ...]
    sha256: str | None = None

    @property
    def identity(self) -> dict[str, str]:
        pinned = {"weights": self.name, "revision": self.revision}
        return pinned | ({"sha256": self.sha256} if self.sha256 else {})

    @property
    def origin(self) -> str:
        return f"the hub ({self.repository} at {self.revision[:12]})"

    def find(self) -> Path | None:
        from huggingface_hub import try_to_load_from_cache

        paths = [
            try_to_load_from_cache(self.repository, file, revision=self.revision)
            for file in self.files
        ]
        here = [Path(path) for path in paths if isinstance(path, str)]
        if len(here) < len(paths):
            return None
        for path in here:
            recorded = self.sha256 if path.suffix == ".safetensors" else None
            expected = recorded or path.resolve().name
            if len(expected) == 64:  # a large file; small ones are stored by their git hash
                verify(path, expected, self.name)
        return here[0].parent

    def fetch(self) -> Path:
        from huggingface_hub import get_hf_file_metadata, hf_hub_url, snapshot_download
        from huggingface_hub.errors import GatedRepoError, HTTPError, RepositoryNotFoundError

        files, revision = list(self.files), self.revision
        first = hf_hub_url(self.repository, files[0], revision=revision)
        try:
            # Asked first because it fails at once where a download would retry for half a minute.
            patiently(lambda: get_hf_file_metadata(first, timeout=REQUEST_SECONDS))
            patiently(
                lambda: snapshot_download(self.repository, revision=revision, allow_patterns=files)
            )
        except GatedRepoError:
            raise WeightsError(
                f"{self} is gated: accept its terms on the page of {self.repository} and run: "
                "hf auth login"
            ) from None
        except RepositoryNotFoundError:
            raise WeightsError(
                f"{self} is gone from {self.origin} or private: name another variant in the config"
            ) from None
        except (OSError, HTTPError) as error:
            raise WeightsError(
                f"{self} cannot be had: {self.origin} fails: {str(error).splitlines()[0]}. Run "
                "`make weights` where it can be reached, and copy the hub's cache (HF_HOME) here"
            ) from None
        if folder := self.find():
            return folder
        raise WeightsError(f"{self} came without all of its files: {', '.join(files)}")


def patiently(request: Callable[[], T]) -> T:
    """What `request` to a hub returns, after up to ATTEMPTS tries where the hub is busy.

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
