"""The hub: from a source (a local folder or a pinned repository) to a folder with every file.

Every failure ends in one line within seconds: no network, a gated or vanished repository, a busy
hub, pickled weights, half a snapshot. Only the files that are needed are fetched, none is executed.
"""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from experiments.errors import UsageError
from experiments.models import snapshot
from experiments.models.fingerprint import local_folder
from experiments.models.quiet import quiet
from metrics.weights.hub import ATTEMPTS, REQUEST_SECONDS, TRANSIENT, patiently, status_of

T = TypeVar("T")


class Unfetched(UsageError):
    """The hub does not give the files: it is out of reach, busy, or wants a licence accepted."""


def resolve(
    source: str,
    *,
    revision: str | None,
    variant: str | None,
    parts: Sequence[str],
    weights: bool = True,
) -> Path:
    """The local folder that holds every needed file: a folder as it is, a hub snapshot from the
    cache, or fetched. A snapshot that is whole in the cache costs no request.

    Args:
        weights: whether they are needed, or only what describes the parts, some kilobytes.

    Raises:
        UsageError: the folder is not whole, or the hub does not give the files (Unfetched); says
            the remedy.
    """
    wanted: dict[str, Any] = {"revision": revision, "variant": variant, "parts": parts}
    wanted["weights"] = weights
    folder = local_folder(source)
    if folder is not None:
        try:
            snapshot.check(folder, parts, variant, weights=weights)
        except snapshot.Incomplete as lack:
            raise UsageError(f"model.source={source} {lack}") from None
        return folder
    if found := _cached(source, **wanted):
        return found
    with quiet(), _one_at_a_time(source):
        # another process may have been faster
        return _cached(source, **wanted) or _fetch(source, **wanted)


def _cached(
    source: str, *, revision: str | None, variant: str | None, parts: Sequence[str], weights: bool
) -> Path | None:
    """The snapshot in the cache, None if it is not there or not whole. Asks nobody."""
    import huggingface_hub

    cached = huggingface_hub.try_to_load_from_cache(source, "model_index.json", revision=revision)
    if isinstance(cached, str):
        folder, pickle = Path(cached).parent, snapshot.OPENED.get(source)
        with contextlib.suppress(snapshot.Incomplete):
            snapshot.check(folder, parts, variant, pickle, weights=weights)
            return folder
    return None


def _one_at_a_time(source: str) -> FileLock:
    """A lock of all processes of this machine, so that many workers do not make the hub busy."""
    from huggingface_hub.constants import HF_HUB_CACHE

    Path(HF_HUB_CACHE).mkdir(parents=True, exist_ok=True)
    return FileLock(Path(HF_HUB_CACHE) / f"{source.replace('/', '--')}.lock")


def _fetch(
    source: str, *, revision: str | None, variant: str | None, parts: Sequence[str], weights: bool
) -> Path:
    from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url, snapshot_download
    from huggingface_hub.errors import HTTPError  # its HTTP library's, whichever that is

    def ask(request: Callable[..., T], *arguments: str, **options: Any) -> T:
        try:
            return patiently(lambda: request(*arguments, **options))
        except (HTTPError, OSError, ValueError) as error:  # every one is the user's to mend
            raise Unfetched(_explain(error, source, revision)) from None

    info = ask(HfApi().model_info, source, revision=revision, timeout=REQUEST_SECONDS)
    files = [file.rfilename for file in info.siblings or []]
    try:
        pickle = snapshot.OPENED.get(source)
        names = snapshot.needed(files, parts, variant, pickle)
        if not weights:
            names = snapshot.described(files, parts)
        # A gated repository shows its file list to everybody, but not its files.
        url = hf_hub_url(source, "model_index.json", revision=info.sha)
        ask(get_hf_file_metadata, url, timeout=REQUEST_SECONDS)
        folder = Path(ask(snapshot_download, source, revision=info.sha, allow_patterns=names))
        snapshot.check(folder, parts, variant, pickle, weights=weights)
    except snapshot.Incomplete as lack:
        raise UsageError(f"model.source={source} {lack}") from None
    return folder


def _explain(error: Exception, source: str, revision: str | None) -> str:
    status = status_of(error)
    page = f"https://huggingface.co/{source}"
    what = f"model.source={source}"
    if status in (401, 403):
        return (
            f"{what} is gated, private or gone (HTTP {status}): "
            f"accept the licence at {page} and set HF_TOKEN"
        )
    if status in (404, 410):
        return (
            f"{what} at revision {revision or 'main'} is not on the hub (HTTP {status}): "
            f"look for it at {page} and set model.source and model.revision"
        )
    if status in TRANSIENT:
        return (
            f"{what}: the hub is busy (HTTP {status}, {ATTEMPTS} tries): try again in a few "
            "minutes; with many workers fetch once, then set HF_HUB_OFFLINE=1"
        )
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
    return (
        f"{what} is not on this machine and could not be fetched from the hub ({reason}): "
        "check the network and the disk, set model.source to a local folder, or use model=tiny"
    )
