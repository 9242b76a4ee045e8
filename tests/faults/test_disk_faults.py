"""Faults of what is on the disk: nothing half-written counts, nothing damaged goes unnoticed."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from runs import HERE, ROOT

from experiments.errors import UsageError
from experiments.galleries import writer as writer_module
from experiments.verify import main, verify

# A run that is killed in the middle of its second commit: before the rename.
KILLED_BEFORE_THE_RENAME = """
import os, signal, sys
from pathlib import Path
from stubs import INPUTS, K, picture
from experiments.galleries.gallery import encode
from experiments.galleries.writer import writing
from experiments.galleries.folder import CellFolder
from experiments.tasks.job import jobs_of

rename, folder = os.rename, Path(sys.argv[1])
def dies(*paths):
    os.kill(os.getpid(), signal.SIGKILL)
with writing(CellFolder(folder, INPUTS, gallery_size=K)) as writer:
    for number, job in enumerate(jobs_of(["prompt 0", "prompt 1"])):
        os.rename = dies if number else rename
        writer.commit(encode(picture(job), inputs=INPUTS, made_with={}))
"""


def verified(stub, **settings) -> list[tuple[str, str]]:
    """(kind, name of the file or folder) of everything that is found in the cells of a stub."""
    folder = stub.folder.path.parent
    return [(f.kind, f.path.name) for f in verify(folder, repair=False, **settings)]


def test_03_kill_between_write_and_rename(stub):
    done = stub(4)
    store = done.folder
    program = [sys.executable, "-c", KILLED_BEFORE_THE_RENAME, str(store.path)]
    paths = f"{HERE}:{ROOT}"
    ended = subprocess.run(program, env={"PYTHONPATH": paths}, timeout=120, check=False)
    assert ended.returncode == -9
    first, second, third, _ = done.cell.jobs
    assert set(done.hashes()) == {first.id}
    assert (store.gallery_folder / f".{second.id}").is_dir()

    half = store.gallery_folder / third.id / "0.png"  # and half a picture, without a row
    half.parent.mkdir()
    half.write_bytes(store.image_paths(store.committed()[first.id])[0].read_bytes()[:100])
    done.make()
    clean = stub(4, name="clean")
    clean.make()
    assert done.hashes().keys() == clean.hashes().keys()
    assert verified(done) == []


def test_04_truncated_manifest_line(stub):
    done = stub(4)
    done.make()
    done.cell.score()
    before = done.hashes()
    manifest, scores = done.folder.path / "manifest.jsonl", done.cell.score_file
    for file in (manifest, scores):
        file.write_bytes(file.read_bytes()[:-8])
    lost = done.cell.jobs[3].id
    assert verified(done) == [("damaged", "manifest.jsonl"), ("foreign", lost)]
    assert set(before) - set(done.hashes()) == {lost}
    done.make()
    assert done.hashes() == before and verified(done) == []
    assert (manifest.parent / "manifest.damaged").read_text().startswith("{")
    assert done.cell.score()["job"].nunique() == 4


def test_05_bit_flip_in_a_committed_image(stub, capsys):
    done = stub(4)
    done.make()
    before, job = done.hashes(), done.cell.jobs[1].id
    image = done.folder.gallery_folder / job / "1.png"
    data = bytearray(image.read_bytes())
    data[len(data) // 2] ^= 1
    image.write_bytes(data)
    assert verified(done) == [("damaged", "1.png")]
    with pytest.raises(UsageError, match=rf"{job}/1\.png is not the image that was committed"):
        done.cell.score()

    folder = str(done.folder.path.parent)
    assert main([folder, "--repair"]) == 1
    assert (done.folder.path / "set-aside" / job / "1.png").read_bytes() == data
    done.make()
    assert done.hashes() == before
    assert main([folder]) == 0
    assert capsys.readouterr().out.endswith("all is as it was committed\n")
    assert done.cell.score()["job"].nunique() == 4


def test_05_what_is_lost_foreign_or_stale_is_named(stub):
    done = stub(3)
    done.make()
    first, second, _ = (done.folder.gallery_folder / job.id for job in done.cell.jobs)
    (first / "0.png").unlink()
    (second / "notes.txt").write_text("mine")
    other = done.folder.path.with_name("stub-00000000")
    other.mkdir()
    (other / "cell.json").write_bytes((done.folder.path / "cell.json").read_bytes())
    found = [("missing", "0.png"), ("foreign", "notes.txt"), ("stale", "stub-00000000")]
    assert sorted(verified(done)) == sorted(found)
    verify(done.folder.path.parent, repair=True)
    done.make()
    assert verified(done) == [("stale", "stub-00000000")]


def test_17_disk_full(stub, monkeypatch):
    """The run ends in one line; what is committed stays, and no part of the next gallery."""
    full, write = stub(4), writer_module.write_flushed

    def nearly_full(path: Path, data: bytes) -> None:
        if path.parts[-2] == f".{full.cell.jobs[2].id}" and path.name == "1.png":
            path.write_bytes(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, data)

    monkeypatch.setattr(writer_module, "write_flushed", nearly_full)
    with pytest.raises(UsageError, match=r"no space is left for .* run again"):
        full.make()
    assert set(full.hashes()) == {job.id for job in full.cell.jobs[:2]}
    assert verified(full) == []
    monkeypatch.undo()
    full.make()
    assert len(full.hashes()) == 4 and verified(full) == []


SMALL_DISK = """
mount -t tmpfs -o size=200k none {folder} || exit 99
cd {root}
{python} -m experiments.run output_dir={folder} results_dir={results} task.num_prompts=12 \
    model.num_steps=1 workers.galleries_per_batch=1
echo run $?
{python} -m experiments.verify {folder}
echo verify $?
mount -o remount,size=10m {folder}
{python} -m experiments.run output_dir={folder} results_dir={results} task.num_prompts=12 \
    model.num_steps=1 workers.galleries_per_batch=1
echo again $?
"""


@pytest.mark.slow
def test_17_a_small_disk_full_for_real(tmp_path):
    """The main job on a file system of 200 KiB, which is then given room."""
    (tmp_path / "disk").mkdir()
    script = SMALL_DISK.format(
        folder=tmp_path / "disk", root=ROOT, python=sys.executable, results=tmp_path / "results"
    )
    try:
        done = subprocess.run(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", script],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("there is no unshare(1)")
    if done.returncode == 99 or done.stderr.startswith("unshare:"):
        pytest.skip(f"no file system may be mounted here: {done.stderr}")
    assert "run 1\n" in done.stdout and "again 0\n" in done.stdout
    (said,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert said.startswith(f"error: no space is left for {tmp_path / 'disk'}")
    assert "all is as it was committed\nverify 0\n" in done.stdout
    assert "Traceback" not in done.stderr
