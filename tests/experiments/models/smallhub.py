"""A hub on the loopback: every repository holds the same folder, and its name says how it behaves.

owner/small       gives everything
owner/status-404  answers every request with that status
owner/busy        answers its first two requests with 429 and 503
owner/gated       shows its file list, but not its files
owner/partless    lacks vae/config.json
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PATH = re.compile(r"(?:/api/models)?/(?P<repository>owner/[\w-]+)/(?P<verb>\w+)/\w+/?(?P<file>.*)")


class Hub(BaseHTTPRequestHandler):
    """Answers for one folder; a subclass holds what it is of it."""

    everything: dict[str, bytes]
    requests: list[str] | None
    excuses: list[int]

    def do_GET(self) -> None:
        request = PATH.fullmatch(self.path.split("?")[0])
        if self.requests is not None:
            self.requests.append(f"{self.command} {self.path}")
        _, _, name = request["repository"].partition("/")
        behaviour, _, status = name.partition("-")
        files = dict(self.everything)
        if behaviour == "partless":
            del files["vae/config.json"]
        if status:
            self.answer(int(status))
        elif behaviour == "busy" and self.excuses:
            self.answer(self.excuses.pop())
        elif request["verb"] == "resolve" and behaviour == "gated":
            self.answer(403, headers={"X-Error-Code": "GatedRepo"})
        elif request["verb"] == "resolve":
            body = files[request["file"]]
            etag = hashlib.sha1(body).hexdigest()
            self.answer(200, body, {"ETag": etag, "X-Repo-Commit": COMMIT})
        elif request["verb"] == "tree":
            self.answer_json(
                [
                    {"type": "file", "path": file, "size": len(body), "oid": file}
                    for file, body in files.items()
                ]
            )
        else:
            siblings = [{"rfilename": file} for file in files]
            self.answer_json({"id": "owner/small", "sha": COMMIT, "siblings": siblings})

    do_HEAD = do_GET

    def answer_json(self, value: object) -> None:
        self.answer(200, json.dumps(value).encode())

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_) -> None:
        """Nothing: the tests' output stays clean."""


@contextmanager
def small_hub(folder: Path, requests: list[str] | None = None) -> Iterator[str]:
    """Serves `folder` and yields the endpoint; every request is appended to `requests`."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    everything = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    state = {"everything": everything, "requests": requests, "excuses": [503, 429]}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Served", (Hub,), state))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
