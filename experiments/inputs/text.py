"""The one reader of text: prompts and listings.

UTF-8, with or without a byte order mark, or UTF-16 with one. A line ends at a line feed, a carriage
return before which is dropped; any other character, such as U+2028, is what its author wrote. All
that is read is kept exactly.
"""

import codecs
import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.errors import UsageError

MARKS = {
    codecs.BOM_UTF8: ("utf-8", "UTF-8"),
    codecs.BOM_UTF16_LE: ("utf-16-le", "UTF-16"),
    codecs.BOM_UTF16_BE: ("utf-16-be", "UTF-16"),
}
"""Byte order marks; a file without one is UTF-8."""


def lines(file: Path) -> list[str]:
    """The lines of a text file.

    Raises:
        UsageError: it cannot be read, or is in another encoding; says at which line and byte.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    mark = next((mark for mark in MARKS if data.startswith(mark)), b"")
    encoding, name = MARKS.get(mark, MARKS[codecs.BOM_UTF8])
    text = data[len(mark) :]
    try:
        decoded = text.decode(encoding)
    except UnicodeDecodeError as error:
        line = text[: error.start].decode(encoding, errors="ignore").count("\n") + 1
        raise UsageError(
            f"{file}, line {line}: byte {len(mark) + error.start} (0x{text[error.start]:02x}) is "
            f"no {name}; save the file as UTF-8"
        ) from None
    if "\0" in decoded:
        line = decoded[: decoded.index("\0")].count("\n") + 1
        raise UsageError(
            f"{file}, line {line}: a byte is zero, as in UTF-16 without a mark or in no text at "
            "all; save the file as UTF-8"
        )
    return [line.removesuffix("\r") for line in decoded.split("\n")]


def shown(path: Path | str) -> str:
    """A path or a name, in one line that any stream can print."""
    return text if (text := str(path)).isprintable() else ascii(text)


def objects(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the objects of a JSONL file; blank lines are passed over.

    Raises:
        UsageError: a line is no JSON object.
    """
    for number, line in enumerate(lines(file), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
            json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except (ValueError, RecursionError) as error:
            why = " ".join(str(error).split())
            raise UsageError(f"{file}, line {number} is not JSON: {why}") from None
        if not isinstance(found, dict):
            raise UsageError(f"{file}, line {number} is no JSON object such as {{...}}")
        yield number, found


def field(file: Path, number: int, row: Mapping[str, Any], name: str) -> str:
    """The text of a field of a row.

    Raises:
        UsageError: there is none of that name, with those that there are; or it is no text.
    """
    if name not in row:
        raise UsageError(f"{file}, line {number} has no column {name!r}; it has {_listed(row)}")
    if not isinstance(text := row[name], str):
        raise UsageError(f"{file}, line {number}: {name} is {json.dumps(text)[:40]}, not a text")
    return text


def column(file: Path, name: str) -> list[str]:
    """The texts of a file, in order: the lines of a .txt, or a column of a .csv, .jsonl, .parquet.

    Blank ones are left out.

    Raises:
        UsageError: another kind of file, a row that is not sound, no such column.
    """
    kind = file.suffix.lower()
    if kind not in _COLUMNS:
        raise UsageError(f"prompt file {file} must end in one of {', '.join(_COLUMNS)}")
    return [text for text in _COLUMNS[kind](file, name) if text.strip()]


def _jsonl(file: Path, name: str) -> Iterator[str]:
    for number, row in objects(file):
        yield field(file, number, row, name)


def _csv(file: Path, name: str) -> Iterator[str]:
    rows = _csv_rows(file)
    _, header = next(rows, (0, None))
    if header is None:
        return
    _require_one(file, name, header)
    for number, row in rows:
        if len(row) != len(header):
            raise UsageError(
                f"{file}, line {number} has {len(row)} fields, the header {len(header)}: "
                "quote a text that holds commas"
            )
        yield row[header.index(name)]


def _csv_rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line that it begins at."""
    reader = csv.reader((f"{line}\n" for line in lines(file)), strict=True)
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UsageError(f"{file}, line {start} is not CSV: {error}; mind its quotes") from None
        if row:
            yield start, row


def _parquet(file: Path, name: str) -> Iterator[str]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as table:
            _require_one(file, name, table.schema_arrow.names)
            texts = table.read(columns=[name]).column(name).to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        why = str(error).partition("\n")[0]
        raise UsageError(f"{file} cannot be read as Parquet: {why}") from None
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            raise UsageError(f"{file}, row {number}: {name} is {str(text)[:40]}, not a text")
        yield text


def _require_one(file: Path, name: str, names: Sequence[str]) -> None:
    """Raises UsageError unless `name` is one of the columns, once."""
    if names.count(name) != 1:
        how = "no column" if name not in names else "more than one column"
        raise UsageError(f"prompt file {file} has {how} {name!r}; it has {_listed(names)}; "
                         "set prompts.column")  # fmt: skip


def _listed(names: Mapping[str, Any] | Sequence[str]) -> str:
    return ", ".join(map(repr, names)) or "none"


_COLUMNS: dict[str, Callable[[Path, str], Iterator[str]]] = {
    ".txt": lambda file, _: iter(lines(file)),
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}
