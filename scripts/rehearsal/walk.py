"""The walk: every target with every model, and what came of it.

A target that generates is planned, run, started again, which must make nothing, and an image of it
is replayed; the files that it promises must be there. All of it in one process, by the commands'
own `main` and the arguments that make would give them, so that libraries load once.
"""

import importlib
import io
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import ModuleType

from scripts.rehearsal.repositories import SIZE
from scripts.rehearsal.targets import Line, Refused, lines

RUN, LEARN = "experiments.run", "experiments.learn"
SMALL = ("scale=rehearsal", "model.num_steps=2", "cno.window=8")
OBJECTS = ("table2", "table8", "table9")
"""Whose rows take down to a fifth of the sampler's steps, which must be one."""
OWN = {
    "weights": ("paper",),
    "bench": ("--galleries=2", "--rounds=1", "--out=results/bench"),
}
"""Arguments of targets that take no settings of a run."""
PLAIN = ("table3", "theory", "report", "figures", "verify", "calibrate")
"""Targets that take no arguments here."""


class Failed(Exception):
    """The line that a command ended in, or what it should have done."""


@dataclass(frozen=True)
class Outcome:
    """What came of a target with a model: done, not for this model, or failed."""

    target: str
    model: str
    state: str
    line: str
    seconds: float


def settings(target: str, model: str) -> list[str]:
    """What make is told, so that a target is small."""
    if target in PLAIN:
        return []
    size = () if model == "tiny" else (f"model.image_size={SIZE}",)
    steps = ("model.num_steps=5",) if target in OBJECTS else ()
    small = " ".join(OWN.get(target, (*SMALL, *size, *steps)))
    told = [f"ARGS={small}"]
    if target in ("learn", "table7"):
        told.append(f"LEARN_ARGS={small} num_steps=2 prompts_per_step=2")
    if target == "bench":
        told = [f"ARGS={small} {' '.join((*SMALL, *size))}"]
    return told


def walk(target: str, model: str) -> Outcome:
    """Walks a target with a model; whatever happens is told."""
    start = perf_counter()
    try:
        state, line = "done", _walk(lines(target, model, *settings(target, model)))
    except Refused as refusal:
        state, line = "not for this model", str(refusal)
    except Failed as failure:
        state, line = "failed", str(failure)
    return Outcome(target, model, state, line, perf_counter() - start)


def _walk(todo: Sequence[Line]) -> str:
    """Walks the lines of a target; says what was made."""
    told = []
    for line in todo:
        module = importlib.import_module(line.module)
        if line.module not in (RUN, LEARN):
            call(module, *line.arguments)
            continue
        planned = call(module, *line.arguments, "plan=true")
        before = _images()
        said = call(module, *line.arguments)
        made = _images()
        _require_files(said)
        call(module, *line.arguments)
        if _images() != made:
            raise Failed("a second start made images again")
        new = sorted(set(made) - set(before))
        told.append(f"{len(new)} images")
        if "to generate" in planned and not new and "timing" not in said and "time:" not in said:
            pass
        for path in _replayable(new):
            call(importlib.import_module("experiments.replay"), str(path), *_size(line))
    return ", ".join(told)


def call(module: ModuleType, *arguments: str) -> str:
    """What a command prints, run in this process with these arguments.

    Raises:
        Failed: it ends with another status than 0, with its last line.
    """
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    out, before = io.StringIO(), sys.argv
    sys.argv = [str(module.__file__), *arguments]
    try:
        with redirect_stdout(out), redirect_stderr(out):
            status = module.main()
    except SystemExit as end:
        status = end.code
    except Exception:
        traceback.print_exc(file=out)
        status = 1
    finally:
        sys.argv = before
    if status:
        said = [line for line in re.split(r"[\n\r]", f"{out.getvalue()}\n{status}") if line.strip()]
        telling = [line for line in said if line.startswith("error:")] or said[:-1] or said
        raise Failed(telling[-1])
    return out.getvalue()


def _images() -> dict[str, int]:
    """Every image of a gallery under this folder, and when it was written."""
    return {
        str(path): path.stat().st_mtime_ns for path in Path().glob("outputs/*/galleries/*/*.png")
    }


def _require_files(said: str) -> None:
    """Raises Failed unless every file that a run has named is there, and one of them a page."""
    named = [Path(word) for word in re.findall(r"\S+\.(?:html|md|csv|tex|json|png|pdf)\b", said)]
    if missing := [str(path) for path in named if not path.is_file()]:
        raise Failed(f"{missing[0]} was named and is not there")
    if not any(path.suffix in (".html", ".png") for path in named):
        raise Failed("it leaves neither a page nor a figure")


def _replayable(paths: Sequence[str]) -> Iterator[str]:
    """The first image of those that hold all that they are made of."""
    from experiments.galleries.gallery import image_metadata

    yield from (path for path in paths[:1] if "method" not in image_metadata(Path(path)))


def _size(line: Line) -> list[str]:
    """What a replay needs beside an image: nothing, for its settings are with it."""
    return []
