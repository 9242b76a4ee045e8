"""A kill tears at most the last line, and what is appended later is whole."""

from experiments.galleries.durable import appending, read_lines


def test_a_torn_line_counts_as_none_and_swallows_no_other(tmp_path):
    file = tmp_path / "new" / "lines.jsonl"
    assert list(read_lines(file)) == []
    with appending(file) as append:
        append({"a": 1})
        append({"a": 2})
    file.write_bytes(file.read_bytes()[:-3])
    assert list(read_lines(file)) == [{"a": 1}]
    with appending(file) as append:
        append({"a": 3})
    assert list(read_lines(file)) == [{"a": 1}, {"a": 3}]
