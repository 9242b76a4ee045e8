"""Faults of weights: a busy hub is spared, half a model refused, a foreign file never run."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from runs import ROOT, elsewhere

from experiments.compose import BUNDLED
from experiments.errors import UsageError
from metrics import weights
from metrics.weights.file import FileVariant
from tests.experiments.models.smallhub import COMMIT, small_hub

PIPELINE = BUNDLED / "pipeline"
FETCH = """
import sys
from experiments.models.hub import resolve
from experiments.models.stable_diffusion import StableDiffusion
print(resolve(sys.argv[1], revision=sys.argv[2], variant=None, parts=StableDiffusion.parts))
"""


def fetching(source: str, cache: Path, endpoint: str, **more: str) -> subprocess.Popen:
    """A process that wants a model."""
    hub = {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, source, COMMIT],
        env={**os.environ, "PYTHONPATH": str(ROOT), **hub, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_18_busy_hub(tmp_path):
    """It is asked again, by one process of the machine; the other, and those without a hub, find
    the files.
    """
    requests: list[str] = []
    with small_hub(PIPELINE, requests) as endpoint:
        both = [fetching("owner/busy", tmp_path, endpoint) for _ in range(2)]
        folders = {run.communicate(timeout=120)[0].strip() for run in both}
    assert len(folders) == 1 and Path(folders.pop()).name == COMMIT
    assert len([r for r in requests if r.startswith("GET /api/models/")]) <= 2 + 3  # excuses
    downloads = [r for r in requests if r.startswith("GET /owner/")]
    assert len(downloads) == len(set(downloads))
    offline = fetching("owner/busy", tmp_path, "http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert offline.communicate(timeout=60)[0].strip().endswith(COMMIT)


def test_19_half_a_snapshot(here, tmp_path):
    """Refused before any work."""
    half = Path(shutil.copytree(PIPELINE, tmp_path / "half"))
    next(half.glob("vae/*.safetensors")).unlink()
    with pytest.raises(UsageError, match=r"half lacks vae/.*fetch it again whole"):
        here("task.num_prompts=1", f"model.source={half}")
    assert not list(tmp_path.glob("outputs/*/galleries"))


@pytest.mark.parametrize(
    ("source", "remedy"),
    [("owner/gated", "accept the licence at"), ("owner/status-404", "set model.source")],
)
def test_20_gated_or_removed_model(tmp_path, source, remedy):
    """The run ends within seconds, in one line with the remedy."""
    with small_hub(PIPELINE) as endpoint:
        began = time.monotonic()
        run = elsewhere(
            "task.num_prompts=1",
            f"model.source={source}",
            f"model.revision={COMMIT}",
            folder=tmp_path,
            HF_ENDPOINT=endpoint,
            HF_HOME=str(tmp_path / "cache"),
        )
        _, said = run.communicate(timeout=60)
    assert run.returncode == 1 and time.monotonic() - began < 45
    assert said.startswith(f"error: model.source={source}") and remedy in said
    assert said.count("\n") == 1


class SideEffect:
    """What a pickle can do to whoever opens it."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_21_wrong_checksum(tmp_path, monkeypatch):
    monkeypatch.setenv("COUPLE_TO_CONTROL_CACHE", str(tmp_path))
    net = FileVariant(
        name="net", size=7, licence="MIT", citation="nobody", file="net.bin", sha256="0" * 64,
        sources=(),
    )  # fmt: skip
    net.path.parent.mkdir()
    net.path.write_bytes(b"altered")
    with pytest.raises(weights.WeightsError, match=r"altered or incomplete .* delete it"):
        net.find()


def test_21_pickle(here, tmp_path):
    folder, marker = Path(shutil.copytree(PIPELINE, tmp_path / "pickled")), tmp_path / "marker"
    (safe,) = folder.glob("unet/*.safetensors")
    safe.unlink()
    safe.with_suffix(".bin").write_bytes(pickle.dumps(SideEffect(marker)))
    with pytest.raises(UsageError, match=r"only pickled weights .* never opened"):
        here("task.num_prompts=1", f"model.source={folder}")
    assert not marker.exists()


def test_21_remote_code(here, tmp_path):
    """A pipeline that brings a class of its own."""
    folder, marker = Path(shutil.copytree(PIPELINE, tmp_path / "foreign")), tmp_path / "marker"
    (folder / "pipeline.py").write_text(f"import os\nos.mkdir({str(marker)!r})\n")
    index = json.loads((folder / "model_index.json").read_text())
    changed = {**index, "_class_name": ["pipeline", "MyPipeline"]}
    (folder / "model_index.json").write_text(json.dumps(changed))
    with pytest.raises(UsageError, match=r"holds a \['pipeline', 'MyPipeline'\], not a Stable"):
        here("task.num_prompts=1", f"model.source={folder}")
    assert not marker.exists()
