"""What the Makefile offers: its targets, its models, and what a target would run."""

import re
import shlex
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

UNWALKED = {
    "help": "the list of targets",
    "setup": "it has made the environment of this walk",
    "quick": "tests", "test": "tests", "faults": "tests", "walks": "tests",
    "lint": "style and types",
    "tables": "its targets are walked one by one",
    "rehearsal": "this walk",
    "bench-gpu": "bench, with networks of the published size",
    "tiny": "trains the bundled model anew: hours",
    "dashboard": "a service",
    "pictures": "README's pictures, of the page of a demo in a browser",
    "docs": "a test builds the site",
    "comfyui": "a test installs the nodes",
    "clean": "it removes the environment", "distclean": "it removes galleries",
}  # fmt: skip
"""Targets that are not walked, and why."""


class Refused(Exception):
    """The line in which make refuses a target."""


@dataclass(frozen=True)
class Line:
    """A line that make would run: a module of ours, and its arguments."""

    module: str
    arguments: tuple[str, ...]


@cache
def makefile() -> str:
    return (ROOT / "Makefile").read_text(encoding="utf-8")


def targets() -> list[str]:
    """All that `make help` lists, in the Makefile's order."""
    return re.findall(r"^([a-z0-9-]+):.*##", makefile(), flags=re.MULTILINE)


def models() -> list[str]:
    (listed,) = re.findall(r"^MODELS := (.*)$", makefile(), flags=re.MULTILINE)
    return listed.split()


def lines(target: str, model: str, *settings: str) -> list[Line]:
    """What `make TARGET MODEL=... SETTINGS` would run, make's own messages left out.

    Raises:
        Refused: make refuses the target for this model.
    """
    command = ["make", "--dry-run", "--no-print-directory", target]
    command += ["--assume-old=setup", "--assume-old=tools"]
    done = subprocess.run(
        [*command, f"MODEL={model}", *settings], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise Refused(re.sub(r"^Makefile:\d+: \*\*\* |\.  Stop\.$", "", done.stderr.strip()))
    found = []
    for text in re.split(r"\n|&&", done.stdout):
        words = shlex.split(text)
        if len(words) > 1 and words[0].endswith("/python"):
            script = words[1:] if words[1] != "-m" else words[2:]
            module = script[0].removesuffix(".py").replace("/", ".")
            found.append(Line(module, tuple(script[1:])))
    return found


def depends_on_the_model(target: str) -> bool:
    """Whether MODEL changes what a target runs."""
    return len({_told(target, model) for model in models()}) > 1


def _told(target: str, model: str) -> str:
    try:
        return repr(lines(target, model))
    except Refused as line:
        return str(line)
