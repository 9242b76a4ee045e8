"""A small run in this process, and what an offline run of W&B holds, read from its file."""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import hydra
import pytest
from wandb.proto.wandb_internal_pb2 import Record

from experiments.compose import CONFIGS
from experiments.run import run

BLOCK, HEADER = 2**15, 7
FULL, LAST = 1, 4


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Runs the main job on two prompts with tracking, without a key."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    def start(*overrides: str, folder: Path = tmp_path) -> None:
        everything = [
            "task.num_prompts=2",
            "model.num_steps=2",
            "workers.galleries_per_batch=2",
            f"output_dir={folder / 'outputs'}",
            f"results_dir={folder / 'results'}",
            *overrides,
        ]
        with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
            run(hydra.compose("config", overrides=everything), overrides=everything)

    return start


@dataclass
class Offline:
    """An offline run, put together from its records; `files` is the folder of its media."""

    files: Path
    run: object = None
    config: dict = field(default_factory=dict)
    summary: dict = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)
    artifacts: dict[tuple[str, str], dict[str, Path]] = field(default_factory=dict)
    used: dict[tuple[str, str], dict[str, Path]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def table(self, name: str) -> tuple[dict, dict[str, Path]]:
        """Its columns and data, and where the images are that these name."""
        files = self.artifacts["run_table", f"run-{self.run.run_id}-{name}"]
        return json.loads(files[f"{name}.table.json"].read_text()), files


@pytest.fixture
def offline():
    """Reads the offline runs in a folder, by id."""

    def read(folder: Path) -> dict[str, Offline]:
        runs = map(_offline, sorted(folder.glob("offline-run-*")))
        return {run.run.run_id: run for run in runs}

    return read


def _offline(folder: Path) -> Offline:
    offline = Offline(folder / "files")
    (file,) = folder.glob("*.wandb")
    for record in map(Record.FromString, _records(file.read_bytes())):
        match record.WhichOneof("record_type"):
            case "run":
                offline.run = record.run
                for item in record.run.config.update:
                    offline.config[item.key] = json.loads(item.value_json)
            case "history":
                offline.history.append({})
                for item in record.history.item:
                    key = [item.key] if item.key else list(item.nested_key)
                    _put(offline.history[-1], key, item.value_json)
            case "summary":
                for item in record.summary.update:
                    _put(offline.summary, [item.key or None, *item.nested_key], item.value_json)
            case "artifact":
                files = {e.path: Path(e.local_path) for e in record.artifact.manifest.contents}
                found = offline.used if record.artifact.use_after_commit else offline.artifacts
                found[record.artifact.type, record.artifact.name] = files
                offline.digests[record.artifact.name] = record.artifact.digest
    return offline


def _put(values: dict, keys: list[str | None], value: str) -> None:
    *path, last = [key for key in keys if key is not None]
    for key in path:
        values = values.setdefault(key, {})
    values[last] = json.loads(value)


def _records(data: bytes) -> Iterator[bytes]:
    """The records of a LevelDB log behind W&B's header of seven bytes."""
    assert data[:4] == b":W&B"
    position, parts = HEADER, []
    while position + HEADER <= len(data):
        if BLOCK - position % BLOCK < HEADER:
            position += BLOCK - position % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + HEADER])
        position += HEADER
        parts.append(data[position : position + length])
        position += length
        if kind in (FULL, LAST):
            yield b"".join(parts)
            parts = []
