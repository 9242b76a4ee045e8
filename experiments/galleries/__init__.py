"""A gallery, and the folders that galleries lie in: ours, and other people's."""

from experiments.galleries.foreign import Foreign

__all__ = ["Foreign"]
