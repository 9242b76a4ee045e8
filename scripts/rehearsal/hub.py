"""A hub on the loopback: repositories at one commit each, and plain files.

It answers what huggingface_hub asks for a model: /api/models/OWNER/NAME/revision/COMMIT, .../tree/
COMMIT and /OWNER/NAME/resolve/COMMIT/FILE, with the ETag under which the cache stores a file: the
SHA-256 of weights, the SHA-1 of anything else.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

PATH = re.compile(
    r"(?:/api/models)?/(?P<repository>[\w.-]+/[\w.-]+)/(?P<verb>revision|tree|resolve)/"
    r"(?P<revision>\w+)/?(?P<file>.*)"
)
LARGE = (".safetensors", ".bin")


@dataclass(frozen=True)
class Repository:
    """What lies in a folder, at a commit."""

    folder: Path
    commit: str

    def files(self) -> dict[str, bytes]:
        """Contents by name. Asked for at each request, so that what is removed is gone."""
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}


class Handler(BaseHTTPRequestHandler):
    """Answers for repositories by name and files by path; a subclass holds them."""

    repositories: Mapping[str, Repository]
    plain: Mapping[str, Path]
    requests: list[str]

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.requests.append(f"{self.command} {path}")
        if file := self.plain.get(path):
            return self.answer(200, file.read_bytes())
        request = PATH.fullmatch(path)
        if request is None:
            return self.answer(404)
        return self.answer_repository(**request.groupdict())

    do_HEAD = do_GET

    def answer_repository(self, *, repository: str, verb: str, revision: str, file: str) -> None:
        found = self.repositories.get(repository)
        if found is None or revision != found.commit:
            missing = "RepoNotFound" if found is None else "RevisionNotFound"
            return self.answer(404, headers={"X-Error-Code": missing})
        return self.answer_files(found.files(), verb, file, id=repository, commit=found.commit)

    def answer_files(
        self, files: Mapping[str, bytes], verb: str, file: str, *, id: str, commit: str
    ) -> None:
        if verb == "resolve" and file in files:
            body = files[file]
            etag = hashlib.new("sha256" if file.endswith(LARGE) else "sha1", body).hexdigest()
            self.answer(200, body, {"ETag": f'"{etag}"', "X-Repo-Commit": commit})
        elif verb == "resolve":
            self.answer(404, headers={"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        elif verb == "tree":
            self.answer_json(
                [
                    {"type": "file", "path": name, "size": len(body), "oid": name}
                    for name, body in files.items()
                ]
            )
        else:
            siblings = [{"rfilename": name} for name in files]
            self.answer_json({"id": id, "sha": commit, "siblings": siblings})

    def answer_json(self, value: object) -> None:
        self.answer(200, json.dumps(value).encode())

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: what a run says stays readable."""


@contextmanager
def serve(handler: type[Handler] = Handler, **state: Any) -> Iterator[str]:
    """Serves on a free port and yields the endpoint; `state` are the handler's attributes."""
    held = {"repositories": {}, "plain": {}, "requests": [], **state}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Served", (handler,), held))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
