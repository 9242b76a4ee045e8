"""Variants that are folders of a hub repository at one commit, kept in the hub's own cache."""

from dataclasses import dataclass
from pathlib import Path

from metrics.weights.patience import REQUEST_SECONDS, patiently
from metrics.weights.variant import Variant, WeightsError, verify


@dataclass(frozen=True, kw_only=True)
class HubVariant(Variant):
    """Some files of a repository. sha256: of model.safetensors, where an independent record of it
    is known; else, or without that file, the commit alone pins the content, and the file is held
    against the checksum under which the hub's cache stores it.
    """

    repository: str
    revision: str
    files: tuple[str, ...]
    sha256: str | None

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
            stored_as = path.resolve().name
            if path.name == "model.safetensors" and self.sha256:
                verify(path, self.sha256, self.name)
            elif len(stored_as) == 64:  # a large file; small ones are stored by their git hash
                verify(path, stored_as, self.name)
        return here[0].parent

    def fetch(self) -> Path:
        from huggingface_hub import get_hf_file_metadata, hf_hub_url, snapshot_download
        from huggingface_hub.errors import GatedRepoError, HTTPError, RepositoryNotFoundError

        first = hf_hub_url(self.repository, self.files[0], revision=self.revision)
        files = list(self.files)
        try:
            # Asked first because it fails at once where a download would retry for half a minute.
            patiently(lambda: get_hf_file_metadata(first, timeout=REQUEST_SECONDS))
            patiently(
                lambda: snapshot_download(
                    self.repository, revision=self.revision, allow_patterns=files
                )
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
        folder = self.find()
        if folder is None:
            raise WeightsError(f"{self} came without all of its files: {', '.join(self.files)}")
        return folder
