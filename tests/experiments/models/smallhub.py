"""A hub on the loopback that serves one folder as every repository, and can misbehave."""

import hashlib
import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def small_hub(
    folder: Path,
    *,
    statuses: tuple[int, ...] = (),
    always: int | None = None,
    gated: bool = False,
    hidden: tuple[str, ...] = (),
) -> Iterator[str]:
    """Yields the endpoint.

    Args:
        statuses: what the first requests get instead of an answer.
        always: what every request gets instead of an answer.
        gated: the file list is public, the files are not.
        hidden: files that the repository lacks.
    """
    first = deque(statuses)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    files = {name: body for name, body in files.items() if name not in hidden}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if always or first:
                self.answer(always or first.popleft(), b"")
            elif "/resolve/" in path:
                name = path.split("/resolve/")[1].partition("/")[2]
                if gated:
                    self.answer(403, b"", {"X-Error-Code": "GatedRepo"})
                else:
                    etag = hashlib.sha1(files[name]).hexdigest()
                    self.answer(200, files[name], {"ETag": etag, "X-Repo-Commit": COMMIT})
            elif "/tree/" in path:
                entries = [
                    {"type": "file", "path": name, "size": len(body), "oid": name}
                    for name, body in files.items()
                ]
                self.answer(200, json.dumps(entries).encode())
            else:
                siblings = [{"rfilename": name} for name in files]
                info = {"id": "owner/small", "sha": COMMIT, "siblings": siblings}
                self.answer(200, json.dumps(info).encode())

        do_HEAD = do_GET

        def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_) -> None:
            """Keeps the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
