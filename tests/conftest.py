"""What makes composing configurations quick, for the tests compose more than a thousand.

Garbage is looked for seldom, and not among what is loaded before the first test: configurations are
graphs of many small nodes, and of the time of their tests a sixth went into looking for circles
among them. And a text of YAML is parsed once.
"""

import gc
from functools import cache

import omegaconf._utils

gc.set_threshold(50_000, 20, 20)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


Loader = omegaconf._utils.get_yaml_loader()


@cache
def parsed(text: str) -> object:
    return Loader(text).get_single_data()


class Remembering:
    """OmegaConf's loader of YAML, which has forgotten no text that it has parsed."""

    def __init__(self, stream):
        self.text = stream if isinstance(stream, str) else stream.read()

    def get_single_data(self) -> object:
        return parsed(self.text)

    def dispose(self) -> None: ...


omegaconf._utils.get_yaml_loader = lambda: Remembering
