"""`import coupling` brings in torch, the standard library and nothing else."""

import json
import subprocess
import sys

SCRIPT = """
import json, sys
import torch
before = set(sys.modules)
import coupling
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def test_coupling_imports_torch_and_the_standard_library_alone(pytestconfig):
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(json.loads(answer.stdout))
    assert imported - set(sys.stdlib_module_names) <= {"coupling", "torch"}


def test_the_plug_in_is_there_and_stands_for_no_other_diffusers(pytestconfig):
    script = (
        "from coupling import *\n"
        "import coupling, sys\n"
        "assert callable(coupling.diffusers.latents) and 'diffusers' not in vars()\n"
        "assert 'diffusers' not in sys.modules\n"
        "import diffusers\n"
        "assert diffusers is not coupling.diffusers and hasattr(diffusers, '__version__')\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=pytestconfig.rootpath, check=True)
