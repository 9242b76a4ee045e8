"""Which files of a pipeline folder in diffusers' layout a model needs, and whether they are whole.

`PART/config.json` beside `PART/diffusion_pytorch_model.safetensors` (transformers: `model`), with
`.VARIANT` before the suffix and in numbered shards where the part is published so. A repository of
one network may hold its files at the top, without folders. Interrupted downloads leave folders that
look right, so every shard is counted and every file's length compared with its own header.
"""

import json
import re
import struct
from collections.abc import Iterable
from pathlib import Path

from experiments.errors import UsageError

SETTINGS = {
    "scheduler": "scheduler_config.json",
    "guider": "guider_config.json",
    **dict.fromkeys(("processor", "image_processor"), "preprocessor_config.json"),
}
"""The file of a part that has no weights."""
WEIGHTS = ("diffusion_pytorch_model", "model")
PICKLES = (".bin", ".ckpt", ".pt", ".pth")
OPENED = {"google/ddpm-bedroom-256": "diffusion_pytorch_model.bin"}
"""The one repository whose pickle is opened, for it holds nothing else. Of it tensors alone are
read (`torch.load(weights_only=True)`), if the file is the one that the hub has at that commit.
"""

FETCH = "fetch it again whole, or set model.source and model.revision to one that is"
CONVERT = (
    "convert it once with diffusers, DiffusionPipeline.from_pretrained(SOURCE)"
    ".save_pretrained(FOLDER), then set model.source=FOLDER"
)


class Incomplete(Exception):
    """What a set of files lacks and the remedy, to be read after the source's name."""

    def __init__(self, lack: str, remedy: str = FETCH) -> None:
        super().__init__(f"{lack}: {remedy}")


def needed(
    files: Iterable[str], parts: Iterable[str], variant: str | None, pickle: str | None = None
) -> list[str]:
    """The names among `files`, relative to the pipeline's folder, that `parts` are loaded from.

    `pickle` is the one that may be among them.

    Raises:
        Incomplete: a part lacks its configuration, its vocabulary or (some of) its safetensors.
    """
    files, parts = set(files), tuple(parts)
    chosen = described(files, parts)
    for part in parts:
        if part not in SETTINGS and not part.startswith("tokenizer"):
            prefix, own = _of(part, files)
            chosen += weights(own, prefix, variant, pickle)
    return chosen


def described(files: Iterable[str], parts: Iterable[str]) -> list[str]:
    """Those of them that hold no weights: configurations and vocabularies.

    Raises:
        Incomplete: a part lacks one.
    """
    files = set(files)
    if "model_index.json" not in files:
        raise Incomplete("has no model_index.json")
    chosen = ["model_index.json"]
    for part in parts:
        prefix, own = _of(part, files)
        if part in SETTINGS:
            chosen.append(_required(own, prefix + SETTINGS[part]))
        elif part.startswith("tokenizer"):
            _required(own, f"{prefix}tokenizer_config.json")
            vocabularies = ("vocab.json", "tokenizer.json", "spiece.model", "tokenizer.model")
            if not any(prefix + name in own for name in vocabularies):
                raise Incomplete(f"lacks the vocabulary of {prefix}")
            kinds = (".json", ".txt", ".model", ".jinja")
            chosen += sorted(name for name in own if name.endswith(kinds))
        else:
            chosen.append(_required(own, f"{prefix}config.json"))
    return chosen


def _of(part: str, files: set[str]) -> tuple[str, set[str]]:
    """The prefix of a part's files, and those that have it."""
    foldered = "config.json" not in files or any(name.startswith(f"{part}/") for name in files)
    prefix = f"{part}/" if foldered else ""
    return prefix, {name for name in files if name.rpartition("/")[0] == prefix.rstrip("/")}


def weights(
    files: set[str], prefix: str, variant: str | None, pickle: str | None = None
) -> list[str]:
    """The safetensors under `prefix` in the variant, or in none where it is not published so; only
    where there are none, `pickle`.
    """
    for infix in [f".{variant}", ""] if variant else [""]:
        for stem in WEIGHTS:
            whole = f"{prefix}{stem}{infix}.safetensors"
            if whole in files:
                return [whole]
            index = f"{prefix}{stem}.safetensors.index{infix}.json"
            start, end = re.escape(prefix + stem), re.escape(".safetensors")
            mark = re.escape(infix)
            shard = re.compile(f"{start}(?:{mark}-\\d+-of-(\\d+)|-\\d+-of-(\\d+){mark}){end}")
            shards = {name: found for name in files if (found := shard.fullmatch(name))}
            if shards:
                count = int(next(found[1] or found[2] for found in shards.values()))
                if len(shards) < count:
                    raise Incomplete(f"has {len(shards)} of {count} shards in {prefix}")
                return [_required(files, index), *sorted(shards)]
    pickles = sorted(name for name in files if name.endswith(PICKLES))
    if pickle in pickles:
        return [pickle]
    if pickles:
        lack = f"has only pickled weights ({pickles[0]}), which are never opened here"
        raise Incomplete(lack, CONVERT)
    raise Incomplete(f"lacks {prefix}{WEIGHTS[0]}.safetensors or {prefix}{WEIGHTS[1]}.safetensors")


def _required(files: set[str], name: str) -> str:
    if name not in files:
        raise Incomplete(f"lacks {name}")
    return name


def check(
    folder: Path,
    parts: Iterable[str],
    variant: str | None,
    pickle: str | None = None,
    *,
    weights: bool = True,
) -> None:
    """Raises Incomplete unless every needed file of the folder is there and whole; without
    `weights`, every one that describes the parts.
    """
    parts = tuple(parts)
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    for name in needed(files, parts, variant, pickle) if weights else described(files, parts):
        if name.endswith(".safetensors"):
            _check_length(folder / name, name)


def read_index(folder: Path) -> dict:
    """model_index.json: the pipeline's class, its parts and options."""
    return read_json(folder / "model_index.json")


def read_json(path: Path) -> dict:
    """A configuration of a pipeline folder. Raises UsageError if it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise UsageError(f"{path} is not JSON: restore or fetch it") from None


def _check_length(path: Path, name: str) -> None:
    # 8 bytes: the header's length; the header: where in the rest every tensor ends.
    with path.open("rb") as file:
        start = file.read(8)
        try:
            (header_length,) = struct.unpack("<Q", start)
            if header_length > path.stat().st_size:
                raise ValueError
            header = json.loads(file.read(header_length))
        except (struct.error, ValueError):
            raise Incomplete(f"holds a broken or cut {name}") from None
    ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
    if path.stat().st_size != 8 + header_length + max(ends, default=0):
        raise Incomplete(f"holds a cut {name}")
