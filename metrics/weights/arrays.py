"""Read a pickle that holds nothing but numpy arrays in dicts and lists, and refuse every other.

A pickle is a program; this reader lets it call only what rebuilds an array, so that a file with
anything else in it is refused before anything of it has run.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct

# The names under which numpy's releases have pickled arrays.
_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise ValueError(f"refused: it asks for {module}.{name}, which is no part of an array")
        return _ALLOWED[module, name]


def read_arrays(path: Path) -> Any:
    """The nested dicts and lists of arrays in a pickle.

    Raises ValueError if it asks for anything else, or is cut off.
    """
    with path.open("rb") as file:
        try:
            return _ArrayUnpickler(file).load()
        except (EOFError, pickle.UnpicklingError) as error:
            raise ValueError(f"{path.name} is cut off or no pickle: {error}") from error
