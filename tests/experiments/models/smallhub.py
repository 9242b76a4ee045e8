"""A hub on the loopback: every repository holds the same folder, and its name says how it behaves.

owner/small       gives everything
owner/status-404  answers every request with that status
owner/busy        answers its first two requests with 429 and 503
owner/gated       shows its file list, but not its files
owner/partless    lacks vae/config.json
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.rehearsal.hub import Handler, Repository, serve

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(Handler):
    """Answers for one folder, whatever the revision."""

    folder: Repository
    excuses: list[int]

    def answer_repository(self, *, repository: str, verb: str, revision: str, file: str) -> None:
        _, _, name = repository.partition("/")
        behaviour, _, status = name.partition("-")
        files = self.folder.files()
        if behaviour == "partless":
            del files["vae/config.json"]
        if status:
            self.answer(int(status))
        elif behaviour == "busy" and self.excuses:
            self.answer(self.excuses.pop())
        elif verb == "resolve" and behaviour == "gated":
            self.answer(403, headers={"X-Error-Code": "GatedRepo"})
        else:
            self.answer_files(files, verb, file, id="owner/small", commit=COMMIT)


@contextmanager
def small_hub(folder: Path, requests: list[str] | None = None) -> Iterator[str]:
    """Serves `folder` and yields the endpoint; every request is appended to `requests`."""
    state = {"folder": Repository(folder, COMMIT), "excuses": [503, 429]}
    with serve(Hub, requests=[] if requests is None else requests, **state) as endpoint:
        yield endpoint
