"""What a store of very many galleries costs: to go on from, to verify, to score, to tabulate.

    python -m scripts.scaling --counts 10000 100000 1000000

Writes results/bench/scaling.{json,md,png,pdf}. A million galleries take a million folders and 3 GB
of disk for as long as it runs.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from experiments.bench.scaling import IMAGES, MISSING, Found, K, measure
from experiments.figures.style import canvas, save, style
from experiments.tables.grids import grid

PARTS = {
    "resume": "resume: to the first batch",
    "walk": "verify: entries and folders",
    "hash": f"verify: hashes, by {IMAGES} galleries",
    "score": "score rows read, one metric",
    "table": "table of two methods, one metric",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--out", type=Path, default=Path("results/bench/scaling"))
    parser.add_argument("--folder", type=Path, help="where the store is, while it is measured")
    asked = parser.parse_args()
    found: dict[int, dict[str, Found]] = {}
    for count in asked.counts:
        with TemporaryDirectory(dir=asked.folder) as folder:
            found[count] = dict(measure(count, Path(folder)))
        _write(found, asked.out)
    print(asked.out.with_suffix(".md").read_text())


def _write(found: dict[int, dict[str, Found]], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    record = json.dumps(found, indent=1, default=asdict)
    out.with_suffix(".json").write_text(record + "\n")
    heads = ("galleries", "inodes", "", "s", "of the processor", "MiB at the peak")
    lines = [
        (f"{count:,}", f"{count * (K + 1):,}", PARTS[part], f"{one.seconds:.3g}",
         f"{one.processor:.3g}", f"{one.memory:.0f}")
        for count, parts in found.items()
        for part, one in parts.items()
    ]  # fmt: skip
    text = (
        "# A store of many galleries\n\n"
        f"{grid(heads, lines)}\n\n"
        f"Galleries of {K} images; one in {MISSING} is missing, and is what a run goes on with. "
        "Entries, folders and score rows are written as a run writes them, images are not: only "
        f"hashing reads these, and is measured on {IMAGES} galleries of 512 px images that no PNG "
        "makes smaller, in proportion for all. A gallery is a folder and its images, so many "
        "inodes. Memory is that of a process of its own for each part, imports included. Files lay "
        "in the page cache.\n"
    )
    out.with_suffix(".md").write_text(text)
    with style():
        figure = canvas(6.0, 2.6)
        left, right = figure.subplots(1, 2)
        for part, label in PARTS.items():
            counts = list(found)
            left.loglog(counts, [found[n][part].seconds for n in counts], "o-", label=label)
            right.loglog(counts, [found[n][part].memory / 1024 for n in counts], "o-")
        left.axhline(45, linestyle=":", color="grey")
        right.axhline(3, linestyle=":", color="grey")
        left.set(xlabel="galleries", ylabel="seconds")
        right.set(xlabel="galleries", ylabel="GiB at the peak")
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        save(figure, out)


if __name__ == "__main__":
    main()
