"""Prompts that somebody has written down: a list in a configuration, or a file."""

from collections.abc import Callable
from pathlib import Path

from experiments.errors import UsageError
from experiments.inputs import text

Source = Callable[[int | None], list[str]]
"""count -> the first prompts, or all of them for None."""


def from_list(count: int | None, *, prompts: list[str]) -> list[str]:
    """The first `count` of `prompts`, which a configuration lists.

    Raises:
        UsageError: it lists fewer, or something that is no text.
    """
    for prompt in prompts:
        if not isinstance(prompt, str):
            raise UsageError(f"prompts.prompts lists {prompt!r}, which is no text: quote it")
    return _first(count, prompts, "the list of prompts")


def from_file(count: int | None, *, path: str, column: str, remedy: str = "") -> list[str]:
    """The first `count` prompts of a text, CSV, JSONL or Parquet file, exactly as they are there.

    Args:
        path: `.txt` has one prompt a line; `.csv`, `.jsonl` and `.parquet` have a `column` of them.
            Blank prompts are skipped.
        remedy: what to do when the file is missing, for the error message.

    Raises:
        UsageError: no such file, another kind of file, one that is not sound, too few prompts.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"prompt file {path} does not exist; {remedy or 'set prompts.path'}")
    prompts = text.column(file, column)
    if not prompts:
        raise UsageError(f"prompt file {path} is empty; write one prompt a line")
    return _first(count, prompts, f"prompt file {path}")


def _first(count: int | None, prompts: list[str], source: str) -> list[str]:
    if count is not None and len(prompts) < count:
        raise UsageError(
            f"{source} has {len(prompts)} prompts, {count} were asked for; "
            f"set task.num_prompts={len(prompts)} or another source, as in prompts=coco"
        )
    return list(prompts[:count])
