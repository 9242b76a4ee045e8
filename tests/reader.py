"""Somebody who reads the documentation: their folder, and the commands that they type in it."""

import os
import re
import runpy
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).parents[1]
EXTENDING = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = {
    name: text
    for text, name in re.findall(
        r"```(?:python|yaml)\n((?:# @.*\n)?# (\S+\.(?:py|yaml))\n.*?)```",
        EXTENDING,
        flags=re.DOTALL,
    )
}
"""The files of docs/extending.md by their names."""


@dataclass(frozen=True)
class Reader:
    """A folder with the files that docs/extending.md writes, and nothing else."""

    folder: Path

    def __post_init__(self) -> None:
        for name, text in FILES.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def python(self, *words: str) -> None:
        """Runs `python -m MODULE ...` in this process, where the libraries are already loaded.

        Raises:
            AssertionError: its exit status is not 0.
        """
        _, module, *arguments = words
        status: object = None
        with (
            chdir(self.folder),
            mock.patch.object(sys, "argv", [module, *arguments]),
            mock.patch.object(sys, "path", [str(self.folder), *sys.path]),
            mock.patch.dict(os.environ),
        ):
            try:
                runpy.run_module(module, run_name="__main__", alter_sys=True)
            except SystemExit as end:
                status = end.code
        assert not status, status
