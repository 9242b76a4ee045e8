"""Where nobody watches, progress is a plain line, and never a terminal's control code."""

from experiments.cells.progress import Progress


def test_a_log_gets_plain_lines(capsys):
    with Progress("coupled", total=3, size=2) as progress:
        progress.failed()
        progress.made(812.4)
        progress.made(None)
    said = capsys.readouterr().err
    assert (
        said.startswith("coupled: 2 of 3 in ")
        and "1 failed, " in said
        and " images/s, 812 MiB" in said
    )
    assert said.count("\n") == 1 and "\r" not in said
