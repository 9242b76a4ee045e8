"""Whatever the hub does, the answer is a whole folder or one line, within seconds."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from smallhub import COMMIT, small_hub

from experiments.models.stable_diffusion import StableDiffusion

# A process of its own: the hub's library reads its settings when it is imported.
PROGRAM = """
import json, sys, time
from experiments.errors import UsageError
from experiments.models.hub import resolve
requests, parts = (json.loads(argument) for argument in sys.argv[1:])
for source, revision in requests:
    start = time.perf_counter()
    try:
        answer = str(resolve(source, revision=revision, variant=None, parts=parts))
    except UsageError as error:
        answer = f"UsageError: {error}"
    print(json.dumps([answer, time.perf_counter() - start]))
"""
LICENCE = "accept the licence at https://huggingface.co/owner/"
REMEDIES = {
    401: LICENCE,
    403: LICENCE,
    404: "set model.source and model.revision",
    429: "try again in a few minutes",
    503: "try again in a few minutes",
}
REFUSED = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Answers:
    """One process: what it answered, how long each answer took, and what it said on stderr."""

    lines: dict[str, str]
    seconds: dict[str, float]
    noise: str


def fetch(sources: list[str], endpoint: str, cache: Path, *, revision=COMMIT, **environment: str):
    settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    requests = json.dumps([[source, revision] for source in sources])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, requests, json.dumps(StableDiffusion.parts)],
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    pairs = list(zip(sources, replies, strict=True))
    return Answers(
        lines={source: line[0] for source, line in pairs},
        seconds={source: line[1] for source, line in pairs},
        noise=done.stderr,
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def answered(families, cache) -> Answers:
    names = ["small", "busy", "gated", "partless", *(f"status-{status}" for status in REMEDIES)]
    with small_hub(families("sd").folder) as endpoint:
        return fetch([f"owner/{name}" for name in names], endpoint, cache)


def test_what_is_fetched_loads_and_nothing_is_said(families, answered):
    fetched = Path(answered.lines["owner/small"])
    assert fetched.name == COMMIT
    assert answered.noise == ""
    model = families("sd").model(source=str(fetched))
    assert model.noise_shape == (4, 8, 8)


def test_a_busy_hub_is_asked_again(answered):
    assert Path(answered.lines["owner/busy"]).name == COMMIT


@pytest.mark.parametrize(("status", "remedy"), list(REMEDIES.items()))
def test_a_refusal_ends_in_one_line_within_seconds(answered, status, remedy):
    source = f"owner/status-{status}"
    assert_one_line(answered.lines[source], source, str(status), remedy)
    assert answered.seconds[source] < 15


def test_a_gated_repository_names_its_licence_page(answered):
    remedy = f"{LICENCE}gated and set HF_TOKEN"
    assert_one_line(answered.lines["owner/gated"], "owner/gated", remedy)


def test_a_repository_without_a_part_is_refused_before_the_download(answered, cache):
    answer = answered.lines["owner/partless"]
    assert_one_line(answer, "owner/partless", "lacks vae/config.json")
    assert not list(cache.rglob("models--owner--partless/**/*.safetensors"))


def test_a_lost_file_is_fetched_again_and_a_whole_snapshot_asks_nobody(families, answered, cache):
    fetched = answered.lines["owner/small"]
    lost = Path(fetched) / "unet" / "diffusion_pytorch_model.safetensors"
    lost.unlink()
    with small_hub(families("sd").folder) as endpoint:
        mended = fetch(["owner/small"], endpoint, cache)
    assert mended.lines["owner/small"] == fetched
    assert lost.exists()
    assert fetch(["owner/small"], REFUSED, cache).lines["owner/small"] == fetched


@pytest.mark.parametrize(
    ("revision", "environment"), [(COMMIT, {}), (None, {}), (COMMIT, {"HF_HUB_OFFLINE": "1"})]
)
def test_an_unreachable_hub_ends_in_one_line_within_seconds(tmp_path, revision, environment):
    answered = fetch(["owner/small"], REFUSED, tmp_path, revision=revision, **environment)
    remedy = "use model=tiny"
    assert_one_line(answered.lines["owner/small"], "owner/small", "from the hub", remedy)
    assert answered.seconds["owner/small"] < 15
    assert answered.noise == ""


def assert_one_line(answer: str, source: str, *parts: str) -> None:
    assert answer.startswith(f"UsageError: model.source={source}"), answer
    assert "\n" not in answer
    for part in parts:
        assert part in answer
