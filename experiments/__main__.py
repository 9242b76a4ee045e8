"""Every command under one name: `couple run coupling=repulsive` is `python -m experiments.run ...`.

couple                  list the commands
couple COMMAND ...      start one
couple --version
"""

import ast
import runpy
import sys
from importlib.metadata import version
from pathlib import Path

import experiments
from experiments.errors import UsageError, command

NO_COMMANDS = {"__init__", "__main__", "compose", "errors"}


@command(status=2)
def main() -> None:
    if sys.argv[1:] == ["--version"]:
        print(f"couple-to-control {version('couple-to-control')}")
        return
    there = commands()
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print("usage: couple COMMAND ...; couple COMMAND --help says what it takes\n")
        print(*(f"  {name:<8} {line}" for name, line in there.items()), sep="\n")
        return
    name = sys.argv.pop(1)
    if name not in there:
        raise UsageError(f"there is no command {name}; there are {', '.join(there)}")
    try:
        runpy.run_module(f"experiments.{name}", run_name="__main__", alter_sys=True)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{error.name} is not installed; pip install 'couple-to-control[suite]' brings it"
        ) from error


def commands() -> dict[str, str]:
    """The first line of every command's docstring, read without importing it."""
    folder = Path(experiments.__path__[0])
    paths = {path.stem: path for path in folder.glob("*.py") if path.stem not in NO_COMMANDS}
    paths["report"] = folder / "report" / "__main__.py"
    return {
        name: (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").splitlines()[0]
        for name, path in sorted(paths.items())
    }


if __name__ == "__main__":
    main()
