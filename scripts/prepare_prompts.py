"""Prompt sets that papers are scored on, fetched from their authors: prompts=parti and the like.

    python scripts/prepare_prompts.py parti             # -> data/prompts/parti.jsonl
    python scripts/prepare_prompts.py dpg --file dpg_bench.csv

Beside the prompts goes a card: source, licence, citation, and the sha256 of the file that they came
from. Where the authors keep a history, the address names a commit; the others' files may change,
and then the checksum on the card tells two runs apart.
"""

import argparse
import csv
import hashlib
import io
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import requests

from experiments.errors import command

GITHUB = "https://raw.githubusercontent.com"


@dataclass(frozen=True)
class PromptSet:
    """count: of different prompts, as published; column: that has them; separator: of a CSV."""

    url: str
    licence: str
    citation: str
    count: int
    column: str
    separator: str | None  # None: JSON lines


SETS = {
    "parti": PromptSet(
        url=f"{GITHUB}/google-research/parti/2c99f6652cbc7f0d0441aa91f4c7e7055bcb0071/PartiPrompts.tsv",
        licence="Apache-2.0",
        citation="Yu et al., Scaling Autoregressive Models for Text-to-Image Generation, 2022",
        count=1632,
        column="Prompt",
        separator="\t",
    ),
    "drawbench": PromptSet(
        url="https://docs.google.com/spreadsheets/d/1y7nAbmR4FREi6npB1u-Bo3GFdwdOPYJc617rBOxIRHY/"
        "gviz/tq?tqx=out:csv&sheet=Sheet1",
        licence="none stated",
        citation="Saharia et al., Photorealistic Text-to-Image Diffusion Models, NeurIPS 2022",
        count=200,
        column="Prompts",
        separator=",",
    ),
    "geneval": PromptSet(
        url=f"{GITHUB}/djghosh13/geneval/16f1681160a110fd077309eb04c1e004f951e06d/prompts/"
        "evaluation_metadata.jsonl",
        licence="MIT",
        citation="Ghosh et al., GenEval, NeurIPS 2023",
        count=553,
        column="prompt",
        separator=None,
    ),
    "dpg": PromptSet(
        url=f"{GITHUB}/TencentQQGYLab/ELLA/main/dpg_bench/dpg_bench.csv",
        licence="Apache-2.0",
        citation="Hu et al., ELLA, 2024",
        count=1065,
        column="text",
        separator=",",
    ),
}


def prompts(data: bytes, *, of: PromptSet) -> list[str]:
    """The prompts in a published file, in its order; one that it repeats, once.

    Raises ValueError: it has no such column, or is another file than the one that was published.
    """
    file = io.StringIO(data.decode("utf-8-sig"), newline="")
    rows = map(json.loads, file) if of.separator is None else _rows(file, of.separator)
    try:
        texts = [(row[of.column] or "").strip() for row in rows]
    except KeyError:
        raise ValueError(f"there is no column {of.column!r}") from None
    found = list(dict.fromkeys(filter(None, texts)))
    if abs(len(found) - of.count) > of.count // 50:
        raise ValueError(f"it has {len(found)} prompts, {of.count} were published")
    return found


def _rows(file: io.StringIO, separator: str) -> csv.DictReader:
    quoting = csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL
    return csv.DictReader(file, delimiter=separator, quoting=quoting)


@command()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=SETS)
    parser.add_argument("--folder", type=Path, default=Path("data/prompts"))
    parser.add_argument("--file", type=Path, help="the published file, downloaded by hand")
    asked = parser.parse_args()
    of = SETS[asked.name]
    try:
        if asked.file:
            data = asked.file.read_bytes()
        else:
            answer = requests.get(of.url, timeout=30)
            answer.raise_for_status()
            data = answer.content
        found = prompts(data, of=of)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {of.url}: {error}; or give --file, the same file downloaded by hand")
    asked.folder.mkdir(parents=True, exist_ok=True)
    path = asked.folder / f"{asked.name}.jsonl"
    path.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in found))
    card = asdict(of) | {"prompts": len(found), "sha256": hashlib.sha256(data).hexdigest()}
    path.with_suffix(".card.json").write_text(json.dumps(card, indent=2) + "\n")
    print(f"{len(found)} prompts in {path}")


if __name__ == "__main__":
    main()
