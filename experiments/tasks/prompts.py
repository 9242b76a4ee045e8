"""Where prompts come from. A prompt source is a callable `count -> list of prompts`.

The first `n` prompts of a source never depend on `count`, so a run that grows from 24 to 48 prompts
keeps its first 24 galleries.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import UsageError

if TYPE_CHECKING:  # pandas loads when a file is read
    import pandas


def captions(count: int, *, seed: int) -> list[str]:
    """`count` distinct captions of the bundled model's bedrooms, drawn with `seed`."""
    from experiments.bedrooms import prompts

    return prompts(count, seed=seed)


def from_list(count: int, *, prompts: list[str]) -> list[str]:
    """The first `count` of `prompts`, which a configuration lists.

    Raises:
        UsageError: it lists fewer.
    """
    return _first(count, prompts, "the list of prompts")


def from_file(count: int, *, path: str, column: str, remedy: str = "") -> list[str]:
    """The first `count` prompts of a text, CSV, JSONL or Parquet file.

    Args:
        path: `.txt` has one prompt a line; `.csv`, `.jsonl` and `.parquet` have a `column` of them.
            Blank prompts are skipped.
        remedy: what to do when the file is missing, for the error message.

    Raises:
        UsageError: no such file, another kind of file, no such column, too few prompts.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"prompt file {path} does not exist; {remedy or 'set prompts.path'}")
    if file.suffix not in _READERS:
        raise UsageError(f"prompt file {path} must end in one of {', '.join(_READERS)}")
    prompts = [text for raw in _READERS[file.suffix](file, column) if (text := str(raw).strip())]
    if not prompts:
        raise UsageError(f"prompt file {path} is empty; write one prompt a line")
    return _first(count, prompts, f"prompt file {path}")


def held_out(count: int, *, source: Callable[[int], list[str]], used: int) -> list[str]:
    """The `count` prompts of `source` that follow its first `used`, which something learned from.

    Raises:
        UsageError: the source has fewer than `used` + `count`.
    """
    return source(used + count)[used:]


def _first(count: int, prompts: list[str], source: str) -> list[str]:
    if len(prompts) < count:
        raise UsageError(
            f"{source} has {len(prompts)} prompts, {count} were asked for; "
            f"set task.num_prompts={len(prompts)} or another source, as in prompts=coco"
        )
    return list(prompts[:count])


def _text(file: Path, column: str) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


def _jsonl(file: Path, column: str) -> list[str]:
    try:
        rows = [json.loads(line) for line in _text(file, column) if line.strip()]
        return [row[column] for row in rows]
    except json.JSONDecodeError as error:
        raise UsageError(f"prompt file {file} has a line that is not JSON: {error}") from error
    except (KeyError, TypeError) as error:
        raise _no_column(file, column) from error


def _csv(file: Path, column: str) -> list[str]:
    import pandas

    try:
        return _column(file, column, pandas.read_csv(file, dtype=str, keep_default_na=False))
    except pandas.errors.EmptyDataError:
        return []


def _parquet(file: Path, column: str) -> list[str]:
    import pandas

    return _column(file, column, pandas.read_parquet(file))


def _column(file: Path, column: str, frame: "pandas.DataFrame") -> list[str]:
    if column not in frame.columns:
        raise _no_column(file, column)
    return frame[column].tolist()


def _no_column(file: Path, column: str) -> UsageError:
    return UsageError(f"prompt file {file} has no column {column!r}; set prompts.column")


_READERS = {".txt": _text, ".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
