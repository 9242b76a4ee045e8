"""The comparison as Markdown, as JSON and as a bar chart."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from experiments.bench.gate import SLACK
from experiments.bench.speed import Speed
from experiments.figures.style import canvas, save, style
from experiments.galleries.durable import replace_file
from experiments.tables.grids import grid
from experiments.tables.paper import values
from experiments.tables.wording import DASH

STAGES = ("encode", "couple", "denoise", "decode", "pipeline", "write")


def write(speed: Speed, *, title: str, path: Path) -> str:
    """Writes PATH.json, .md and a bar chart; returns the text."""
    text = markdown(speed, title=title)
    record = asdict(speed)
    for name in ("arms", "stages", "pictures", "overhead"):
        record[name] = json.loads(record[name].to_json(orient="index", double_precision=15))
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path.with_suffix(".json"), (json.dumps(record, indent=1) + "\n").encode())
    replace_file(path.with_suffix(".md"), text.encode())
    chart(speed, path)
    return text


def markdown(speed: Speed, *, title: str) -> str:
    """The tables of a comparison: speeds, stages, how equal the pictures are."""
    stages, setup = speed.stages[[stage for stage in STAGES if stage in speed.stages]], speed.setup
    embeddings = (stages.get("encode", 0 * stages.sum(axis=1)) / stages.sum(axis=1)).max()
    parts = [
        f"# {title}",
        *_first(speed),
        f"{setup['made_with']['device']}; {setup['dtype']}, {setup['threads']} threads used. "
        f"Matrix products and convolutions reach {speed.peak / 1e12:.3g} TFLOP/s in the same run. "
        f"{setup['settings']}.",
        *([f"**Not measured yet:** {speed.missing}."] if speed.missing else []),
        _speeds(speed),
        "Galleries a second are medians over the rounds [slowest, fastest]. *over A* compares with "
        "the faster of diffusers' eager arms, *factor* with the arm above. Every arm goes from "
        "prompts to PNG files on disk; ours also hash, flush and describe them.",
        "## Seconds of a gallery by stage",
        _grid("arm", stages, {stage: _told(stages[stage], "{:.4f}") for stage in stages}),
        "In lanes several batches share the time, so stages add up to more than a gallery takes. "
        f"Prompts are encoded again for every batch, for {100 * embeddings:.1f} % at the most.",
        "## The same pictures",
        _equality(speed.pictures),
        "Deviation from A: of latents, relative; of images, in grey levels of 255. The gate "
        f"allows {SLACK:g} times what the shape of a batch alone does to A (where that is nothing, "
        "what the arithmetic of the steps rounds away), one grey level, and metrics within the "
        "bootstrap interval of A's.",
    ]
    if len(speed.overhead):
        added = _added(speed.overhead, last=speed.arms.iloc[-1])
        parts += ["## What coupling and storing add", *added]
    return "\n\n".join(parts) + "\n"


def _first(speed: Speed) -> Iterator[str]:
    """What was found, where the fastest of ours may stand: its pictures are diffusers' own."""
    ours = speed.arms[speed.arms["is_ours"] & ~speed.arms.index.isin(speed.rejected)]
    if len(ours):
        best = ours.loc[ours["over_reference"].idxmax()]
        yield (
            f"**{best['over_reference']:.2f} times the galleries a second of diffusers' own loop** "
            f"({best.name} against A), with the same pictures."
        )


def chart(speed: Speed, path: Path) -> tuple[Path, Path]:
    """Bars of galleries a second, whiskers from the slowest round to the fastest."""
    arms, rate, setup = speed.arms, speed.arms["rate"], speed.setup
    with style():
        figure = canvas(5.5, 0.32 * len(arms) + 0.8)
        axis = figure.subplots()
        places = range(len(arms))[::-1]
        axis.barh(places, rate, color=["C0" if ours else "0.65" for ours in arms["is_ours"]])
        spread = [rate - arms["slowest"], arms["fastest"] - rate]
        # a median of equal rounds may lie beside them, by rounding
        spread = [beside.clip(lower=0.0) for beside in spread]
        axis.errorbar(rate, places, xerr=spread, fmt="none", ecolor="black", elinewidth=0.8)
        for place, (name, arm) in zip(places, arms.iterrows(), strict=True):
            fails = " fails the gate" if name in speed.rejected else ""
            text, end = f"×{arm['over_reference']:.2f}{fails}", (arm["fastest"], place)
            axis.annotate(text, end, (4, 0), textcoords="offset points", va="center")
        axis.set_yticks(list(places), [f"{name}: {label}" for name, label in arms["label"].items()])
        axis.set_xlim(0, 1.15 * arms["fastest"].max())
        axis.set_xlabel(f"galleries a second ({setup['made_with']['device']}, {setup['dtype']})")
        return save(figure, path)


def _speeds(speed: Speed) -> str:
    arms, gate = speed.arms, speed.pictures["gate"]
    rates = arms[["rate", "slowest", "fastest"]].to_numpy()
    columns = {
        "": arms["label"],
        "galleries/s": ["{:.3g} [{:.3g}, {:.3g}]".format(*found) for found in rates],
        "images/s": _told(arms["images"], "{:.3g}"),
        "over A": _told(arms["over_reference"], "{:.2f}"),
        "factor": _told(arms["over_previous"], "{:.2f}"),
        "FLOP/s": _told(arms["flops"] / 1e12, "{:.3g} TFLOP/s"),
        "of peak": _told(100 * arms["of_peak"], "{:.0f} %"),
        "peak MiB": _told(arms["memory"], "{:.0f}"),
        "compile s": _told(arms["compile"], "{:.0f}"),
        "repaid after": _told(arms["repaid_after"], "{:.0f}"),
        "gate": [
            DASH if name not in gate.index else "fails" if name in speed.rejected else "equal"
            for name in arms.index
        ],
    }
    return _grid("arm", arms, columns)


def _equality(pictures: pd.DataFrame) -> str:
    columns = {
        "latents": _told(pictures["latents"], "{:.1e}"),
        "images": _told(pictures["images"], "{:.1e}"),
        "largest": _told(pictures["worst"], "{:.0f}"),
        "gate": pictures["gate"],
    }
    yardsticks = {name: f"*{name}*" for name in pictures.index[pictures["gate"] == ""]}
    return _grid("arm", pictures.rename(yardsticks), columns)


def _added(overhead: pd.DataFrame, *, last: pd.Series) -> Iterator[str]:
    """The arithmetic, here and for a gallery of the paper's model."""
    paper = values("table4", "sd15")["iid"]["seconds"][0]
    galleries = {
        f"Here, a gallery of {last.name} takes {1e3 / last['rate']:.0f} ms.": 1 / last["rate"],
        f"Stable Diffusion 1.5 at 512 px, whose gallery takes the paper {paper} s:": paper,
    }
    for (start, seconds), (_, found) in zip(galleries.items(), overhead.iterrows(), strict=True):
        ms = 1e3 * found
        yield (
            f"{start} Coupling {ms['coupling']:.1f} ms, statistics {ms['drift']:.1f} ms, and a "
            f"commit of {ms['commit']:.1f} ms in place of a plain save of {ms['save']:.1f} ms add "
            f"{ms['added']:.1f} ms: {100 * found['added'] / seconds:.2f} %."
        )
    yield "In a lane it is done beside the next batch's denoising, and takes no time of a GPU's."


def _grid(first: str, frame: pd.DataFrame, columns: Mapping[str, Iterable[str]]) -> str:
    """A Markdown table of columns beside the names of a frame's rows."""
    lines = zip(frame.index, *columns.values(), strict=True)
    return grid((first, *columns), lines)


def _told(values: pd.Series, form: str) -> list[str]:
    """Values as text; a dash where there is none."""
    return [DASH if math.isnan(value) else form.format(value) for value in values]
