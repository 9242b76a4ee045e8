"""Published prompt sets, on stand-ins of the published layouts."""

import hashlib
import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.compose import build, compose

SCRIPT = Path(__file__).parents[2] / "scripts" / "prepare_prompts.py"
FILES = {
    "parti": 'Prompt\tCategory\tNote\nbond\tAbstract\tof "x\na "red" cat, here\tAnimals\t\n',
    "drawbench": '"Prompts","Category"\n"bond","Colors"\n"a ""red"" cat, here","Colors"\n',
    "geneval": '{"tag": "x", "prompt": "bond"}\n{"prompt": "a \\"red\\" cat, here"}\n',
    "dpg": 'item_id,text,keywords\n0,bond,a\n0,bond,b\n1,"a ""red"" cat, here",c\n',
}


@pytest.fixture(scope="module")
def prepare():
    spec = importlib.util.spec_from_file_location("prepare_prompts", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize("name", FILES)
def test_prompts_are_those_of_the_file_each_once(prepare, name):
    of = replace(prepare.SETS[name], count=2)
    assert prepare.prompts(FILES[name].encode(), of=of) == ["bond", 'a "red" cat, here']


def test_another_file_is_refused(prepare):
    with pytest.raises(ValueError, match="it has 2 prompts, 1632 were published"):
        prepare.prompts(FILES["parti"].encode(), of=prepare.SETS["parti"])
    with pytest.raises(ValueError, match="no column 'Prompt'"):
        prepare.prompts(FILES["dpg"].encode(), of=prepare.SETS["parti"])


def test_the_command_writes_what_a_run_reads_and_a_card(tmp_path, monkeypatch):
    lines = "".join(f'{{"prompt": "thing {number}"}}\n' for number in range(553))
    (tmp_path / "published.jsonl").write_text(lines)
    command = [sys.executable, str(SCRIPT), "geneval", "--file", "published.jsonl"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    card = json.loads((tmp_path / "data/prompts/geneval.card.json").read_text())
    assert card["sha256"] == hashlib.sha256(lines.encode()).hexdigest()
    assert card["licence"] == "MIT" and card["prompts"] == 553
    monkeypatch.chdir(tmp_path)
    source = build("prompts", compose(["prompts=geneval"]))
    assert source(2) == ["thing 0", "thing 1"] and len(source(None)) == 553


@pytest.mark.parametrize("name", FILES)
def test_a_set_that_is_not_here_says_how_to_get_it(name, tmp_path, monkeypatch):
    from experiments.errors import UsageError

    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=f"prepare_prompts.py {name}"):
        build("prompts", compose([f"prompts={name}"]))(2)
