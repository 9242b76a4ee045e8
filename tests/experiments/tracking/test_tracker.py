"""An offline run of the client itself, read back; what a key is; what is refused."""

import json
import os
import socket
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.errors import UsageError
from experiments.tracking import WeightsAndBiases
from experiments.tracking.send import has_key, main, watch


@pytest.mark.walks
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
            moments = {name: pytest.approx(entry[name]) for name in ("mean", "std", "n")}
            assert found == moments | {"unit": "images" if "vendi" in entry["metric"] else "1"}

    progress = [point for point in cell.history if "progress/galleries" in point]
    assert [progress[-1][f"progress/{name}"] for name in ("galleries", "failures")] == [2, 0]
    assert progress[-1]["progress/galleries_per_second"] >= 0
    assert str(tmp_path) not in json.dumps(cell.config) + json.dumps(table.config)
    assert set(cell.config["suite"]) >= {"commit"}
    kept = cell.artifacts["galleries", f"{folder.name}-galleries"]
    assert kept.keys() == {"manifest.jsonl"}

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
    _are_linked(table, [run for run in runs.values() if run is not table])


def _are_linked(table, cells) -> None:
    """From the weights to galleries and scores, and from all of these to the table."""
    made = [key for cell in cells for key in cell.artifacts if key[0] in ("galleries", "scores")]
    assert len(made) == 4 and table.used.keys() == set(made)
    for cell in cells:
        assert cell.used.keys() == {("model", "tiny-weights")}
        for _, name in cell.artifacts.keys() & table.used.keys():
            assert cell.digests[name] == table.digests[name]  # and so one version
    weights = {cell.digests["tiny-weights"] for cell in cells}
    (file,) = cells[0].used["model", "tiny-weights"].values()
    assert len(weights) == 1 and json.loads(file.read_text())["weights"].startswith("sha256:")


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


@pytest.mark.parametrize(("field", "value"), [("mode", "on"), ("time_limit", 0), ("interval", -1)])
def test_a_mistake_is_named(field, value):
    settings = {"project": "p", "entity": None, "mode": None, "folder": ".", "num_galleries": 1}
    with pytest.raises(UsageError, match=rf"tracking\.{field} = {value} must be"):
        WeightsAndBiases(**settings | {"interval": 1, "time_limit": 1} | {field: value})


def test_nothing_is_imported_without_tracking(start, monkeypatch):
    """The default costs nothing."""
    for name in [name for name in sys.modules if name.startswith("experiments.tracking")]:
        monkeypatch.delitem(sys.modules, name)
    start()
    assert "experiments.tracking" not in sys.modules


def test_a_service_that_is_disabled_says_so(tmp_path, monkeypatch):
    settings = {"project": "x", "entity": None, "mode": None, "folder": str(tmp_path)}
    live = {"settings": settings, "runs": [{}]}
    (tmp_path / "live.json").write_text(json.dumps(live))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path))
    assert "disabled here, so nothing was logged" in main(tmp_path)


def test_what_is_committed_is_told_while_the_run_works(tmp_path, monkeypatch):
    """Galleries and failures as their lines come, each change once, shards included; the last
    look is after the final word.
    """
    cell, final = tmp_path / "cell", tmp_path / "runs.json"
    (cell / "shards" / "of-2" / "1").mkdir(parents=True)

    class Live:
        def __init__(self):
            self.told = []

        def log(self, values):
            self.told.append((values["progress/galleries"], values["progress/failures"]))

    def write(name, text):
        return lambda: (cell / name).write_text(text)

    steps = [
        write("manifest.jsonl", "{}\n{}\n"),
        lambda: None,
        write("shards/of-2/1/manifest.jsonl", "{}\n"),
        write("failures.jsonl", "{}\n"),
        lambda: (write("manifest.jsonl", "{}\n" * 5)(), final.write_text('[{"id": "a"}]')),
    ]
    monkeypatch.setattr("time.sleep", lambda _: steps.pop(0)())
    read, write_end = os.pipe()
    live = Live()
    with os.fdopen(read) as ours, os.fdopen(write_end, "w"):
        monkeypatch.setattr("sys.stdin", ours)
        runs = [{"id": "a", "watched": str(cell)}]
        assert watch(runs, {"a": live}, final, interval=1) == [{"id": "a"}]
    assert live.told == [(0, 0), (2, 0), (3, 0), (3, 1), (6, 1)]


def test_a_run_that_dies_leaves_what_it_has(tmp_path, monkeypatch):
    read, write_end = os.pipe()
    os.close(write_end)
    with os.fdopen(read) as ours:
        monkeypatch.setattr("sys.stdin", ours)
        assert watch([], {}, tmp_path / "runs.json", interval=600) == []
