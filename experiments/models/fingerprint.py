"""What a model's weights are called: cheap, and without loading them or torch."""

import hashlib
import re
from pathlib import Path

from experiments.errors import UsageError

# The files that a pipeline is loaded from; a model card beside them is none.
LOADED = {".safetensors", ".json", ".txt", ".model", ".jinja"}


def local_folder(source: str) -> Path | None:
    """The folder that `source` is, or None if it can only be a hub repository.

    Raises:
        UsageError: neither.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", source):
        return None
    raise UsageError(
        f"model.source={source} is no folder here and no hub repository (owner/name): "
        "check the path, or use model=tiny"
    )


def fingerprint(source: str, revision: str | None) -> str:
    """`sha256:HEX` over a local folder's files and their names, or `owner/name@revision`.

    Where no revision is given, it is the commit that the hub's cache has as the main one, if any.

    A model trained anew has a new fingerprint, so everything made with the old one is made anew.
    """
    folder = local_folder(source)
    if folder is None:
        if not revision:
            from huggingface_hub import try_to_load_from_cache

            cached = try_to_load_from_cache(source, "model_index.json")
            revision = Path(cached).parent.name if isinstance(cached, str) else "main"
        return f"{source}@{revision}"
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in LOADED):
        with path.open("rb") as file:
            part = hashlib.file_digest(file, "sha256").digest()
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + part)
    return f"sha256:{digest.hexdigest()}"
