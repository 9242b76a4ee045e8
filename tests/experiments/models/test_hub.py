"""Whatever the hub does, the answer is a whole folder or one line, within seconds."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from smallhub import COMMIT, small_hub

PROGRAM = """
import sys
from experiments.errors import UsageError
from experiments.models.hub import resolve
from experiments.models.stable_diffusion import PARTS
try:
    print(resolve("owner/small", revision=sys.argv[1] or None, variant=None, parts=PARTS))
except UsageError as error:
    sys.exit(f"UsageError: {error}")
"""


def fetch(endpoint: str, cache: Path, *, revision: str = COMMIT, **environment: str):
    """(path or "", stderr, seconds) of a fresh process: the library reads its settings at import."""
    settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, revision],
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout.strip(), done.stderr.strip(), time.perf_counter() - start


@pytest.fixture
def folder(families) -> Path:
    return families("sd").folder


def test_only_what_is_needed_is_fetched_and_then_kept(families, folder, tmp_path):
    (folder / "v1-5-pruned.ckpt").write_bytes(b"a pickle that nobody asked for")
    with small_hub(folder) as endpoint:
        fetched, errors, _ = fetch(endpoint, tmp_path)
    (folder / "v1-5-pruned.ckpt").unlink()
    assert errors == ""
    assert Path(fetched).name == COMMIT
    assert not (Path(fetched) / "v1-5-pruned.ckpt").exists()
    again, errors, _ = fetch(endpoint, tmp_path)  # the hub is gone
    assert (again, errors) == (fetched, "")
    model = families("sd").model(source=fetched)
    assert model.noise_shape == (4, 8, 8)


def test_a_busy_hub_is_asked_again(folder, tmp_path):
    with small_hub(folder, statuses=(429, 503)) as endpoint:
        fetched, errors, _ = fetch(endpoint, tmp_path)
    assert (Path(fetched).name, errors) == (COMMIT, "")


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "accept the licence at https://huggingface.co/owner/small and set HF_TOKEN"),
        (403, "accept the licence at https://huggingface.co/owner/small and set HF_TOKEN"),
        (404, "set model.source and model.revision"),
        (429, "try again in a few minutes"),
        (503, "try again in a few minutes"),
    ],
)
def test_refusals_end_in_one_line(folder, tmp_path, status, remedy):
    with small_hub(folder, always=status) as endpoint:
        fetched, errors, seconds = fetch(endpoint, tmp_path)
    assert_one_line(errors, remedy, str(status))
    assert fetched == ""
    assert seconds < 20


def test_a_gated_repository_names_its_licence_page(folder, tmp_path):
    with small_hub(folder, gated=True) as endpoint:
        _, errors, _ = fetch(endpoint, tmp_path)
    assert_one_line(errors, "accept the licence at https://huggingface.co/owner/small")


@pytest.mark.parametrize(
    ("endpoint", "environment"),
    [
        ("http://127.0.0.1:9", {}),
        ("http://hub.invalid", {}),
        ("http://127.0.0.1:9", {"HF_HUB_OFFLINE": "1"}),
    ],
)
@pytest.mark.parametrize("revision", [COMMIT, ""])
def test_an_unreachable_hub_ends_in_one_line(tmp_path, endpoint, environment, revision):
    _, errors, seconds = fetch(endpoint, tmp_path, revision=revision, **environment)
    assert_one_line(errors, "could not be fetched from the hub", "use model=tiny")
    assert seconds < 20


def test_a_repository_without_a_part_is_refused_before_the_download(folder, tmp_path):
    with small_hub(folder, hidden=("vae/config.json",)) as endpoint:
        _, errors, _ = fetch(endpoint, tmp_path)
    assert_one_line(errors, "lacks vae/config.json")
    assert not list(tmp_path.rglob("*.safetensors"))


def test_half_a_snapshot_in_the_cache_is_completed(folder, tmp_path):
    with small_hub(folder) as endpoint:
        fetched, _, _ = fetch(endpoint, tmp_path)
        lost = Path(fetched) / "unet" / "diffusion_pytorch_model.safetensors"
        lost.unlink()
        again, errors, _ = fetch(endpoint, tmp_path)
    assert (again, errors) == (fetched, "")
    assert lost.exists()


def assert_one_line(errors: str, *parts: str) -> None:
    assert errors.startswith("UsageError: model.source=owner/small"), errors
    assert "\n" not in errors
    for part in parts:
        assert part in errors
