"""`import coupling` brings in torch, the standard library and nothing else, and hides nothing."""

import json
import subprocess
import sys

SCRIPT = """
import json, sys
import torch
before = set(sys.modules)
import coupling
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
from coupling import *
assert callable(coupling.diffusers.latents) and "diffusers" not in vars()
assert "diffusers" not in sys.modules
import diffusers
assert diffusers is not coupling.diffusers and hasattr(diffusers, "__version__")
"""


def test_coupling_imports_torch_alone_and_stands_for_no_other_diffusers(pytestconfig):
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(json.loads(answer.stdout))
    assert imported - set(sys.stdlib_module_names) <= {"coupling", "torch"}
