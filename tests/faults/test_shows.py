"""What the faults come to: whoever made the galleries, and whatever befell them, the tables are
the same to the byte.
"""

import os
import signal

import psutil
import pytest
from runs import committed

from experiments.galleries.writer import Writer

TABLES = ("tiny.md", "tiny.csv", "tiny.tex", "tiny-scores.csv")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_actors_make_the_tables_of_one_process(here, ray_session, tmp_path, monkeypatch):
    """40 prompts: in this process, by two actors, and by two of which one is killed in between."""
    quick = ["experiment=demo", "task.num_prompts=40"]
    local, ray, struck = (tmp_path / name for name in ("local", "ray", "struck"))
    here(*quick, folder=local)
    two = [*quick, "workers=ray", "workers.num=2", "workers.cpus=0.5"]
    here(*two, folder=ray)

    killed, commit = [], Writer.commit

    def commit_and_kill(writer, gallery, **rest):
        row = commit(writer, gallery, **rest)
        for process in psutil.Process().children(recursive=True):
            if not killed and len(committed(struck)) >= 7 and "Actor.make" in process.name():
                os.kill(process.pid, signal.SIGKILL)
                killed.append(process.pid)
        return row

    monkeypatch.setattr(Writer, "commit", commit_and_kill)
    here(*two, folder=struck)
    assert killed
    for other in (ray, struck):
        assert committed(other) == committed(local)
        for name in TABLES:
            ours, theirs = (folder / "results" / "demo" / name for folder in (local, other))
            assert ours.read_bytes() == theirs.read_bytes()
