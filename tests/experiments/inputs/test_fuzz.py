"""Whatever people hand in is read as it is meant, or refused in one line; nothing is touched."""

import csv
import io
import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from experiments.compose import mistakes
from experiments.errors import UsageError
from experiments.galleries.foreign import Foreign
from experiments.inputs import pictures
from experiments.inputs.prompts import from_file, from_list
from experiments.inputs.settings import quoted, require
from experiments.tasks.job import jobs_of

fuzz = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n\ufeff")
LINE = st.text(CHARACTERS, min_size=1, max_size=30).filter(str.strip)
NASTY = st.sampled_from([
    "a\u2028b", "a\x85b\x0bc", " a bed ", "{} {x} {{ y }} {% z %}", "${seed}", "%s %d %", '"', "'",
    "<b>&amp;</b>", "\\textbf{a}", "| a | b |", "# a", "a,b;c\td", "=1+1", "\U0001f6cf", "e\u0301",
])  # fmt: skip
PROMPTS = st.lists(LINE | NASTY, min_size=1, max_size=6)
READ = partial(from_file, None, column="prompt")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def one_line_or(read, folder: Path):
    """What `read` gives, or None where it refuses; either way all files are as they were."""
    before = contents(folder)
    try:
        return read()
    except UsageError as error:
        assert str(error) and "\n" not in str(error)
    finally:
        assert contents(folder) == before


@fuzz
@given(
    prompts=PROMPTS,
    suffix=st.sampled_from([".txt", ".TXT", ".jsonl", ".csv", ".Csv"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
)
@example(["a\nb", "c"], ".csv", "utf-8", "\n", True)
def test_prompts_are_kept_exactly(tmp_path, prompts, suffix, encoding, end, last):
    match suffix.lower():
        case ".txt":
            lines = prompts
        case ".jsonl":
            lines = [json.dumps({"prompt": text}, ensure_ascii=False) for text in prompts]
        case ".csv":
            out = io.StringIO(newline="")
            writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator=end)
            writer.writerows([("kind", "prompt"), *(("x", text) for text in prompts)])
            lines = [out.getvalue().removesuffix(end)]
    file = tmp_path / f"prompts{suffix}"
    file.write_bytes((end.join(lines) + end * last).encode(encoding))
    assert READ(path=str(file)) == prompts
    assert from_list(None, prompts=prompts) == prompts


@settings(fuzz, max_examples=50)
@given(prompts=PROMPTS)
def test_prompts_of_parquet_are_kept_exactly(tmp_path, prompts):
    pd.DataFrame({"prompt": prompts}).to_parquet(tmp_path / "a.parquet")
    assert READ(path=str(tmp_path / "a.parquet")) == prompts


JUNK = (
    st.binary(max_size=60)
    | st.text(st.sampled_from('ab{}[]":,\n\r\t \\u\ufeff'), max_size=40).map(str.encode)
    | st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(["prompt", "images", "x"]), inner, max_size=3)
            ),
        ),
        max_size=3,
    ).map(lambda rows: "\n".join(map(json.dumps, rows)).encode())
)


@fuzz
@given(data=JUNK, suffix=st.sampled_from([".txt", ".jsonl", ".csv", ".parquet", ".md", ""]))
@example(b'{"prompt": "\\ud800"}', ".jsonl")
@example(b"[" * 100_000, ".jsonl")
@example(b'{"prompt": ' + b"9" * 5000 + b"}", ".jsonl")
@example('prompt\n"a'.encode("utf-16"), ".csv")
@example(b"a\0 \0b\0", ".txt")
def test_any_bytes_are_prompts_or_one_line(tmp_path, data, suffix):
    file = tmp_path / f"junk{suffix}"
    file.write_bytes(data)
    found = one_line_or(partial(READ, path=str(file)), tmp_path)
    assert found is None or all(text.strip() and text.encode() for text in found)


@fuzz
@given(data=JUNK)
def test_any_bytes_are_a_listing_or_one_line(tmp_path, data):
    file = tmp_path / "listing.jsonl"
    file.write_bytes(data)
    task = Foreign(str(file), num_prompts=None, gallery_size=1, prompts=lambda count: [])
    assert one_line_or(lambda: task.entries, tmp_path) is None  # no image is there


NAMES = st.sampled_from([
    "0", "1", "2", "10", "\u0663", "1\u00b23", "a bed", "a_bed-1", "A Bed (2)", "a bedroom",
    "a lamp", "z", "._0", ".DS_Store", "__MACOSX", "Thumbs", "\u00e9", "e\u0301", "new\nline",
    "007",
])  # fmt: skip
SUFFIXES = st.sampled_from([".png", ".PNG", ".jpg", ".gif", ".txt", ".db", "", ".heic"])
FILES = st.dictionaries(st.tuples(NAMES, SUFFIXES).map("".join), st.booleans(), max_size=5)
TREES = st.dictionaries(st.just("") | NAMES, FILES, max_size=4)
WANTED = ["z", "a bed", "a lamp", "\u00e9"]


@fuzz
@given(tree=TREES, size=st.integers(1, 3))
@example({"": {"0.png": True, "1.png": True}}, 2)
@example({"a lamp": {"0.png": True}, "z": {"0.png": True}}, 1)
def test_any_folder_is_galleries_of_all_its_pictures_or_one_line(tmp_path_factory, tree, size):
    folder = tmp_path_factory.mktemp("theirs")
    for name, files in tree.items():
        if (folder / name).is_file():
            continue
        (folder / name).mkdir(exist_ok=True)
        for file, whole in files.items():
            if not (folder / name / file).is_dir():
                (folder / name / file).write_bytes(b"a picture" if whole else b"")
    task = Foreign(
        str(folder), num_prompts=None, gallery_size=size, prompts=partial(from_list, prompts=WANTED)
    )
    if (entries := one_line_or(lambda: task.entries, folder)) is None:
        return
    hidden = {"__MACOSX"}
    seen = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in pictures.READ
        and not any(p.startswith(".") or p in hidden for p in path.relative_to(folder).parts)
    )
    assert sorted(path for entry in entries.values() for path in entry.paths) == seen
    assert all(len(entry.paths) == size for entry in entries.values())
    assert [*entries] == [job.id for job in jobs_of([e.prompt for e in entries.values()])]
    (note,) = task.notes
    assert "\n" not in note
    if "by name" in note:
        for entry in entries.values():
            names = {
                path.parent.name if path.parent != folder else path.stem for path in entry.paths
            }
            plain = {
                name.casefold().replace("_", " ").replace("e\u0301", "\u00e9") for name in names
            }
            assert all(name.lstrip("0123456789 ").startswith(entry.prompt) for name in plain)


@fuzz
@given(
    text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20) | NASTY
)
@example("/tmp/it's {a}, b\\")
@example("\\'\\\\'")
def test_a_quoted_value_is_that_value_to_hydra(text):
    (parsed,) = OverridesParser.create().parse_overrides([f"key={quoted(text)}"])
    assert str(parsed.value()).replace(r"\${", "${") == text


@fuzz
@given(words=st.lists(st.text("ab=,.[]{}()'\"\\$ +~@-1/\u00e9", max_size=12), max_size=3))
def test_any_override_is_read_or_told_in_one_line(tmp_path, words):
    def read():
        with mistakes(words, name="config"):
            return OverridesParser.create().parse_overrides(words)

    one_line_or(read, tmp_path)


@fuzz
@given(
    name=st.sampled_from(["seed", "task.num_prompts", "workers.lanes", "model.guidance", "plan"]),
    value=st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    stated=st.sampled_from([0, 24, 5.0, False, "auto"]),
)
def test_any_value_is_of_its_kind_or_refused_by_its_name(name, value, stated):
    try:
        require(name, value, stated)
    except UsageError as error:
        assert name in str(error)
    else:
        kind = (int, str) if name == "workers.lanes" else type(stated)
        kind = int if name == "task.num_prompts" else kind
        assert value is None or isinstance(value, kind) or (kind is float and type(value) is int)
        assert isinstance(value, bool) <= (kind is bool)


@fuzz
@given(
    data=st.binary(max_size=40),
    place=st.integers(0, 200),
    kind=st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "TIFF"]),
)
def test_a_broken_picture_is_one_line(tmp_path, data, place, kind):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, kind)
    whole = buffer.getvalue()
    (tmp_path / "x.png").write_bytes(whole[:place] + data + whole[place + len(data) :])
    found = one_line_or(lambda: pictures.read(tmp_path / "x.png"), tmp_path)
    assert found is None or (found.pixels.ndim == 3 and found.pixels.dtype == np.uint8)


@pytest.mark.parametrize("cut", [0, 1, 20, 300])
def test_a_parquet_file_that_was_cut_is_one_line(tmp_path, cut):
    pd.DataFrame({"prompt": ["a", "b"]}).to_parquet(tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data[:cut])
    assert one_line_or(partial(READ, path=str(tmp_path / "a.parquet")), tmp_path) is None
