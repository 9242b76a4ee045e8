"""The committed LaTeX tables compile, where there is a TeX, and say what the table says."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[3] / "results"
TABLES = sorted(RESULTS.glob("*/*.tex"))
LATEX = shutil.which("pdflatex") or shutil.which("tectonic")
PREAMBLE = r"""\documentclass{article}
\usepackage{booktabs,siunitx}
\usepackage[landscape,margin=1cm]{geometry}
\begin{document}
"""


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parent.name)
def test_every_row_has_a_cell_for_every_column(path):
    text = path.read_text(encoding="utf-8")
    columns = len(re.search(r"\\begin{tabular}{(\w+)}", text)[1])
    for line in re.search(r"\\midrule\n(.*)\\bottomrule", text, re.S)[1].splitlines():
        assert line.endswith(r" \\") and len(re.findall(r"(?<!\\)&", line)) == columns - 1


@pytest.mark.skipif(not LATEX, reason="there is no TeX on this machine")
def test_they_compile(tmp_path):
    tables = "\n".join(path.read_text(encoding="utf-8") for path in TABLES)
    (tmp_path / "tables.tex").write_text(PREAMBLE + tables + "\n\\end{document}\n")
    options = ["-halt-on-error", "-interaction=nonstopmode"] if "pdflatex" in LATEX else []
    done = subprocess.run(
        [LATEX, *options, "tables.tex"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "tables.pdf").stat().st_size > 0
