"""What `make` would run: the model and the settings that were asked for, or a refusal in a line."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def make(*words: str) -> subprocess.CompletedProcess:
    command = [
        "make",
        "--dry-run",
        "--assume-old=setup",
        "--assume-old=tools",
        "--no-print-directory",
        *words,
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "target",
    ["demo", "table1", "table3", "table7", "table9", "learn", "theory", "report", "figures",
     "verify", "weights", "calibrate", "dashboard", "compute", "cno-presets", "beyond", "rivals",
     "large", "quick", "test"],
)  # fmt: skip
def test_settings_reach_every_command_of_a_target(target):
    lines = make(target, "ARGS=setting").stdout.splitlines()
    assert lines and all("setting" in line for line in lines)


@pytest.mark.parametrize("model", ["tiny", "sd15", "sdxl", "sd3"])
def test_all_tables_are_of_the_model_and_none_is_without(model):
    done = make("tables", f"MODEL={model}", "ARGS=seed=1")
    assert done.returncode == 0
    runs = [line for line in done.stdout.splitlines() if "experiment=" in line]
    assert all(f"model={model}" in line or "experiment=table9" in line for line in runs)
    assert any("experiment=table9" in line for line in runs) == (model in ("tiny", "sd15"))
    (table3,) = (line for line in done.stdout.splitlines() if "experiments.table3" in line)
    assert "seed=1" not in table3  # it takes none


def test_all_tables_say_which_a_model_has_not():
    said = make("tables", "MODEL=sd3").stdout.splitlines()
    skipped = [line.partition(" ")[0] for line in said if " is skipped: " in line]
    assert skipped == ["table2", "table8", "table9"]
    assert not any(f"experiment={table} " in line for table in skipped for line in said)


def test_every_table_of_a_model_with_prompts_of_its_own_takes_them():
    runs = [line for line in make("tables", "MODEL=sd15").stdout.splitlines() if "-m exp" in line]
    without = {"table2", "table3", "table8", "table9"}  # pictures, or no model
    lacking = [line for line in runs if "prompts=coco" not in line]
    assert len(lacking) == len(without)
    assert all(any(table in line for table in without) for line in lacking)


def test_files_that_are_named_are_there():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"(?<=[ =])(?:tests|scripts|configs|docs)/[\w./-]+", text)
    assert len(named) > 10
    assert not [path for path in named if not (ROOT / path).exists()]


def test_a_demo_is_of_the_model_that_is_named():
    assert "model=sd15" in make("demo", "MODEL=sd15").stdout


@pytest.mark.parametrize(
    "words",
    [("table9", "MODEL=sdxl"), ("table2", "MODEL=sd3"), ("theory", "MODEL=sd15"), ("distclean",)],
)
def test_what_cannot_or_must_not_be_is_refused_in_one_line(words):
    done = make(*words)
    assert done.returncode != 0 and done.stdout == "" and done.stderr.count("\n") == 1


def test_cleaning_keeps_galleries_unless_they_are_named():
    assert "outputs" not in make("clean").stdout
    assert "rm -rf outputs" in make("distclean", "CONFIRM=yes").stdout
