"""The walk: every target with every model, and what came of it.

A target that generates is planned at its own scale. Then, small, it is planned, run, started again,
which must make nothing, and an image of it is replayed; the files that it names must be there, a
page or figure among them. All of it in one process, by the commands' own `main` and the arguments
that make would give them, so that libraries load once.
"""

import importlib
import io
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import ModuleType
from urllib.parse import unquote

from hydra.core.global_hydra import GlobalHydra

from coupling import iid
from experiments.errors import STOPPED
from experiments.galleries.gallery import image_metadata
from experiments.learning.card import Card
from experiments.workers.preemption import REQUEUE
from scripts.rehearsal.repositories import PIXELS, SIZE
from scripts.rehearsal.targets import ROOT, Line, Refused, lines

GENERATING = ("experiments.run", "experiments.learn")
PIXEL_MODEL = ("table9", "sd15")  # the target and MODEL that run the unconditional one
BESIDES = {
    ("table1", "sdxl"): f"metrics=fidelity metrics.reference.path=data/lsun/{SIZE} scale.table1=8",
    ("demo", "sd15"): "optimizer=group_inference",
    ("demo", "sdxl"): "optimizer=group_inference",
    ("demo", "sd3"): "optimizer=group_inference metrics=vqa",
    # without what diffusers compiles: two minutes each, and none of ours
    **{("bench", model): """--without="A'\"""" for model in ("sd15", "sdxl", "sd3")},
}
"""What a target and MODEL are told besides: scores and an optimiser that no target has."""
TIMED = ("table4",)  # of which no gallery is kept
SMALL = "scale=rehearsal model.num_steps=2 cno.window=8"
LEARNING = "num_steps=2 prompts_per_step=2"
OBJECTS = ("table2", "table8", "table9")
FEW = "scale.objects=6"  # as many pictures as the stage has
ARGUMENTS = {
    "weights": "fidelity vqa",
    "bench": f"--galleries=2 --rounds=1 --out=results/bench {SMALL}",
    **dict.fromkeys(OBJECTS, f"{SMALL} model.num_steps=5"),  # rows take down to a fifth of them
    "theory": f"--scores={ROOT / 'results/table1/tiny-scores.csv'}",  # two prompts show nothing
    **dict.fromkeys(("table3", "report", "figures", "verify", "calibrate"), ""),
}
"""What a target is told; SMALL, where it is not here."""


class Failed(Exception):
    """The line that a command ended in, or what it should have done."""


@dataclass(frozen=True)
class Outcome:
    """What came of a target with a model: done, not for this model, or failed; and a line."""

    target: str
    model: str
    state: str
    line: str
    seconds: float


def plan(target: str, model: str) -> Outcome:
    """Plans a target at its own scale, and the paper's where that is its own."""
    card = Path(f"results/learn/cards/{model}-brightness.safetensors")
    Card.begin(iid(4), {"within": None}).write(card)  # table7's plan learns none
    own = f"model.image_size={PIXELS}" if (target, model) == PIXEL_MODEL else ""
    told = f"plan=true {own} {FEW if target in OBJECTS else ''}"
    outcome = _outcome(target, model, {"ARGS": told, "LEARN_ARGS": "plan=true"}, _plan)
    card.unlink()  # a walk is to learn its own
    return outcome


def walk(target: str, model: str) -> Outcome:
    """Walks a target, small."""
    arguments = ARGUMENTS.get(target, SMALL)
    if model != "tiny" and SMALL in arguments:
        arguments += f" model.image_size={PIXELS if (target, model) == PIXEL_MODEL else SIZE}"
    arguments += f" {BESIDES.get((target, model), '')}"
    told = {"ARGS": arguments, "LEARN_ARGS": f"{arguments} {LEARNING}"}
    if (target, model) == ("table7", "sd15"):
        told["APPLY"] = "sd15 sdxl sd3"  # what was learned with one model, on all of the paper's
    return _outcome(target, model, told, _walk)


def _outcome(
    target: str, model: str, told: Mapping[str, str], make: Callable[[str, Sequence[Line]], str]
) -> Outcome:
    start = perf_counter()
    try:
        todo = lines(target, model, *(f"{name}={value}" for name, value in told.items()))
        state, line = "done", make(target, todo)
    except Refused as refusal:
        state, line = "not for this model", str(refusal)
    except Failed as failure:
        state, line = "failed", str(failure)
    return Outcome(target, model, state, line, perf_counter() - start)


def _plan(target: str, todo: Sequence[Line]) -> str:
    generating = [line for line in todo if line.module in GENERATING]
    said = "\n".join(call(line.module, *line.arguments) for line in generating)
    if unchecked := re.search(r"not held against its model.*", said):
        raise Failed(unchecked[0])
    return "; ".join(re.findall(r"^.*(?:galleries to make|steps of learning).*$", said, re.M))


def _walk(target: str, todo: Sequence[Line]) -> str:
    told = []
    for line in todo:
        if line.module not in GENERATING:
            call(line.module, *line.arguments)
            continue
        call(line.module, *line.arguments, "plan=true")
        before = _written()
        _require_files(call(line.module, *line.arguments))
        made = _written()
        call(line.module, *line.arguments)
        if target not in TIMED and _written() != made:
            raise Failed("a second start generated again")
        images = sorted(path for path in set(made) - set(before) if path.suffix == ".png")
        told.append(f"{len(images)} images")
        # an image around an object does not hold all that it is made of
        if images and "method" not in image_metadata(images[0]):
            call("experiments.replay", str(images[0]))
            told.append("one replayed")
    return ", ".join(told)


def call(module: str | ModuleType, *arguments: str) -> str:
    """What a command prints, run in this process with these arguments.

    Raises:
        Failed: it ends with another status than 0, with its last line.
    """
    GlobalHydra.instance().clear()
    command = importlib.import_module(module) if isinstance(module, str) else module
    if hasattr(command, "__path__"):  # a package is started by its __main__, as python -m does
        command = importlib.import_module(f"{command.__name__}.__main__")
    out, before = io.StringIO(), sys.argv
    sys.argv = [str(command.__file__), *arguments]
    try:
        with redirect_stdout(out), redirect_stderr(out):
            status = command.main()
    except SystemExit as end:
        status = end.code
    except Exception:  # a traceback of any command is what a walk is to find; its line is told
        traceback.print_exc(file=out)
        status = 1
    finally:
        sys.argv = before
    if status in (REQUEUE, STOPPED):
        raise KeyboardInterrupt
    if status:
        said = [line for line in re.split(r"[\n\r]", f"{out.getvalue()}\n{status}") if line.strip()]
        said = [line for line in said if not line.startswith("Set the environment variable HYDRA")]
        telling = [line for line in said if line.startswith("error:")] or said[:-1] or said
        raise Failed(telling[-1])
    return out.getvalue()


def _written() -> dict[Path, int]:
    """The images of galleries and the cards of couplings that are here, and when they were made."""
    found = [*Path().glob("outputs/*/galleries/*/*.png"), *Path().glob("outputs/learn/*")]
    return {path: path.stat().st_mtime_ns for path in found}


def _require_files(said: str) -> None:
    """Raises Failed unless every file that a run has named is there, and one of them to look at."""
    words = re.findall(r"\S+\.(?:html|md|csv|tex|json|png|pdf)\b", said)
    named = [Path(unquote(word.removeprefix("file://"))) for word in words]
    if missing := [str(path) for path in named if not path.is_file()]:
        raise Failed(f"{missing[0]} was named and is not there")
    if not any(path.suffix in (".html", ".png") for path in named):
        raise Failed("it leaves neither a page nor a figure")
