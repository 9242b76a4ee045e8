"""Prompt files as other systems write them, and those that cannot be what they seem."""

import pandas as pd
import pytest

from experiments.errors import UsageError
from experiments.inputs.prompts import from_file


def prompts(tmp_path, name: str, data: bytes) -> list[str]:
    (tmp_path / name).write_bytes(data)
    return from_file(None, path=str(tmp_path / name), column="prompt")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", "a\nün\n".encode("latin-1"), r"a\.txt, line 2: byte 2 \(0xfc\) is no UTF-8"),
        ("a.txt", b"\xef\xbb\xbfa\nb\xff", r"line 2: byte 6 \(0xff\) is no UTF-8"),
        ("a.txt", b"\xff\xfea\0\n\0b", r"line 2: byte 6 \(0x62\) is no UTF-16"),
        ("a.txt", "a\nb".encode("utf-16-le"), r"line 1: a byte is zero, as in UTF-16 without a"),
        ("a.txt", "a".encode("utf-32"), "a byte is zero"),
        ("a.jsonl", b'{"prompt": "a"}\n{"prompt": null}', r"line 2: prompt is null, not a text"),
        ("a.jsonl", b'{"prompt": 3}', r"line 1: prompt is 3, not a text"),
        ("a.jsonl", b'{"prompt": "a"}\n["b"]', r"line 2 is no JSON object"),
        ("a.jsonl", b'{"prompt": "a"}\n\n{"text": "b"}', r"line 3 has no column 'prompt'.*'text'"),
        ("a.jsonl", b'{"prompt": "\\ud83d"}', r"line 1 is not JSON"),
        ("a.csv", b"prompt,kind\na,x\nb, c,y\n", r"line 3 has 3 fields, the header 2"),
        ("a.csv", b"prompt,kind\na\n", r"line 2 has 1 fields, the header 2"),
        ("a.csv", b'prompt\na\n"b\nc\n', r"line 3 is not CSV: unexpected end of data"),
        ("a.csv", b'prompt\n"a" b\n', r"line 2 is not CSV"),
        ("a.csv", b"Prompt;kind\na;b\n", r"no column 'prompt'; it has 'Prompt;kind'"),
        ("a.csv", b"prompt,prompt\na,b\n", r"more than one column 'prompt'"),
        ("a.parquet", b"prompt\na\n", r"a\.parquet cannot be read as Parquet"),
    ],
)
def test_a_file_that_is_not_sound_is_refused_by_its_line(tmp_path, name, data, message):
    with pytest.raises(UsageError, match=message) as refused:
        prompts(tmp_path, name, data)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [([1, 2], "row 1: prompt is 1"), (["a", None], "row 2: prompt is None"), ([b"a"], "row 1")],
)
def test_a_column_of_parquet_that_is_no_text_is_refused(tmp_path, values, message):
    pd.DataFrame({"prompt": values}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(UsageError, match=message):
        from_file(None, path=str(tmp_path / "a.parquet"), column="prompt")


def test_a_line_ends_at_a_line_feed_alone(tmp_path):
    text = "a\u2028b\r\nc\x85d\x0be\n f \rg\n"
    assert prompts(tmp_path, "a.txt", text.encode()) == ["a\u2028b", "c\x85d\x0be", " f \rg"]


def test_a_text_in_quotes_may_hold_commas_and_lines(tmp_path):
    data = b'kind,prompt\nx,"a, ""b""\nc"\n\ny,d\n'
    assert prompts(tmp_path, "a.csv", data) == ['a, "b"\nc', "d"]
