"""Row 22: W&B is unreachable, rate-limited, or the id was deleted. Run and tables complete.

The client is a stub, put in front of the real one on the path of the process that speaks to it.
"""

import json
import shutil
import time
from pathlib import Path

import pytest
from runs import settings

from experiments.compose import compose
from experiments.run import run

SETTINGS = "class Settings:\n    def __init__(self, **_): pass\nclass Image(Settings): pass\n"
STUBS = {
    "init raises": "def init(**_): raise RuntimeError('run a was deleted; the key is SECRET')",
    "log raises": """
class Run:
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def __getattr__(self, name): raise ConnectionError('429\\ntoo many requests')
def init(**_): return Run()
""",
    "it blocks": "import time\ndef init(**_): time.sleep(600)",
    "it dies": "import os\ndef init(**_): os.abort()",
    "it is not there": "raise ImportError('no wandb')",
}
SAID = {
    "init raises": "logging stopped: RuntimeError: run a was deleted; the key is ***",
    "log raises": "logging stopped: ConnectionError: 429 too many requests",
    "it blocks": "W&B did not take everything within 2 s",
    "it dies": "logging stopped: it died without a word",
    "it is not there": "logging stopped: ImportError: no wandb",
}


def _tables(folder: Path) -> dict[str, bytes]:
    """Every form of the table, less what names the tracking: configurations, and so the page."""
    tables = {path.name: path.read_bytes() for path in folder.glob("results/demo/*")}
    document = json.loads(tables["tiny.json"])
    del document["made_by"]["configs"], tables["tiny.html"]
    return tables | {"tiny.json": json.dumps(document).encode()}


RUN = ["experiment=demo", "table.figures=null", "task.num_prompts=2"]


@pytest.fixture(scope="module")
def untracked(tmp_path_factory) -> Path:
    """A run that nobody is told of, once for all faults."""
    folder = tmp_path_factory.mktemp("untracked")
    overrides = [*settings(folder), *RUN]
    run(compose(overrides), overrides=overrides)
    return folder


@pytest.mark.parametrize("fault", STUBS)
def test_22_the_run_completes_with_the_same_tables_and_says_so_once(
    fault, untracked, here, tmp_path, monkeypatch, capfd
):
    shutil.copytree(untracked, tmp_path, dirs_exist_ok=True)
    before = _tables(tmp_path)
    (tmp_path / "wandb.py").write_text(SETTINGS + STUBS[fault])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("WANDB_API_KEY", "SECRET")
    capfd.readouterr()
    began = time.monotonic()
    limit = 2 if fault == "it blocks" else 120
    here(*RUN, "tracking=wandb", f"tracking.time_limit={limit}")
    assert time.monotonic() - began < 60  # the stub that blocks does so for 600
    said = capfd.readouterr().err
    lines = [line for line in said.splitlines() if "tracking" in line]
    assert len(lines) == 1 and lines[0].startswith(f"tracking: {SAID[fault]}")
    assert "SECRET" not in said and "Traceback" not in said
    assert _tables(tmp_path) == before and len(before) == 5
