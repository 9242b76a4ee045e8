"""An offline run of the client itself, read back; what a key is; what is refused."""

import json
import socket
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.errors import UsageError
from experiments.tracking import WeightsAndBiases
from experiments.tracking.send import has_key, main


def test_offline_runs_hold_config_summary_table_and_images(start, offline, tmp_path, capsys):
    start("experiment=demo", "tracking=wandb", "tracking.num_galleries=1")
    said = [line for line in capsys.readouterr().err.splitlines() if "tracking" in line]
    assert said == [
        f"tracking: 3 run(s), kept offline; wandb sync {tmp_path}/outputs/wandb/offline-run-*"
    ]
    runs = offline(tmp_path / "outputs" / "wandb")
    (cell,) = (run for key, run in runs.items() if key.startswith("tiny-repulsive-"))
    (table,) = (run for key, run in runs.items() if key.startswith("tiny-demo-"))
    (folder,) = tmp_path.glob("outputs/tiny-repulsive-*")
    assert cell.run.run_id == folder.name
    assert cell.run.display_name == "coupled" and cell.run.run_group == "demo"
    assert cell.run.job_type == "cell" and list(cell.run.tags) == ["tiny", "repulsive", "none"]
    assert cell.run.project == "couple-to-control"
    assert cell.config["coupling"] == {"_target_": "coupling.repulsive", "size": 3}
    assert cell.config["model"]["num_steps"] == 2

    document = json.loads((tmp_path / "results/demo/tiny.json").read_text())
    for entry in document["cells"]:
        if entry["row"] == "coupled":
            found = cell.summary[entry["metric"]]
            assert found == {name: pytest.approx(entry[name]) for name in ("mean", "std", "n")}

    prompts, images = cell.table("prompts")
    assert prompts["columns"][:3] == ["prompt", "job", "l2"]
    assert prompts["columns"][-3:] == ["image 0", "image 1", "image 2"]
    (first, job, *_), second = prompts["data"]
    assert {first, second[0]} == set(_prompts(folder))
    for member, image in enumerate(prompts["data"][0][-3:]):
        committed = folder / "galleries" / job / f"{member}.png"
        np.testing.assert_array_equal(_pixels(images[image["path"]]), _pixels(committed))
    assert second[-3:] == [None] * 3

    assert (cell.files / cell.summary["correlation"]["path"]).stat().st_size > 0
    assert cell.artifacts["scores", f"{folder.name}-scores"].keys() == {f"{folder.name}.jsonl"}
    assert table.run.job_type == "table" and table.run.run_group == "demo"
    assert {"galleries", "effects", "drift"} <= set(table.summary)
    assert "tiny.csv" in table.artifacts["table", table.run.run_id]


def _prompts(folder: Path) -> list[str]:
    return [json.loads(line)["prompt"] for line in (folder / "manifest.jsonl").open()]


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_cell_that_grew_goes_on_under_its_id(start, offline, tmp_path):
    start("tracking=wandb")
    start("tracking=wandb", "task.num_prompts=3")
    assert len(list(tmp_path.glob("outputs/wandb/offline-run-*"))) == 2
    (run,) = offline(tmp_path / "outputs" / "wandb").values()
    assert run.summary["l2"]["n"] == 3 and run.run.resumed is False


def test_without_a_key_the_network_is_not_touched(start, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        called = threading.Event()

        def listen() -> None:
            try:
                server.accept()
            except OSError:
                return
            called.set()

        threading.Thread(target=listen, daemon=True).start()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        start("tracking=wandb")
        assert not called.is_set()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, False),
        ({"WANDB_API_KEY": "k"}, True),
        ({"NETRC": "machine api.wandb.ai login user password k"}, True),
        ({"NETRC": "machine example.org login user password k"}, False),
        ({"NETRC": "machine"}, False),
        ({"NETRC": "machine w.org login u password k", "WANDB_BASE_URL": "https://w.org"}, True),
    ],
)
def test_a_key_is_found_where_the_client_looks(given, found, tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text(given.get("NETRC", "") + "\n")
    for name, value in (given | {"NETRC": str(netrc)}).items():
        monkeypatch.setenv(name, value)
    assert has_key() is found


@pytest.mark.parametrize(("field", "value"), [("mode", "on"), ("time_limit", 0)])
def test_a_mistake_is_named(field, value):
    settings = {"project": "p", "entity": None, "mode": None, "folder": ".", "num_galleries": 1}
    with pytest.raises(UsageError, match=rf"tracking\.{field} = {value} must be"):
        WeightsAndBiases(**settings | {"time_limit": 1} | {field: value})


def test_nothing_is_imported_without_tracking(start, monkeypatch):
    """The default costs nothing."""
    for name in [name for name in sys.modules if name.startswith("experiments.tracking")]:
        monkeypatch.delitem(sys.modules, name)
    start()
    assert "experiments.tracking" not in sys.modules


def test_a_service_that_is_disabled_says_so(tmp_path, monkeypatch):
    settings = {"project": "x", "entity": None, "mode": None, "folder": str(tmp_path)}
    runs = tmp_path / "runs.json"
    runs.write_text(json.dumps({"settings": settings, "runs": [{}]}))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path))
    assert "disabled here, so nothing was logged" in main(runs)
