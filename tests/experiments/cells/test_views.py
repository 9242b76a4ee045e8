"""Best of more keeps the images that the L2 metric finds most diverse; a part keeps its members."""

from functools import partial
from itertools import combinations
from operator import itemgetter

import numpy as np

from experiments.cells.views import View, most_spread


class One:
    """A single gallery of five noise images."""

    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)

    def committed(self):
        return {"job": "row"}

    def read(self, row):
        return self.images

    def where(self, row):
        return "here"


def test_the_kept_images_have_the_largest_l2():
    def l2(kept) -> float:
        x = One.images[list(kept)] / 255
        return np.mean([np.square(x[i] - x[j]).mean() for i, j in combinations(range(len(x)), 2)])

    best = max(combinations(range(5), 3), key=l2)
    shown = View(One(), partial(most_spread, keep=3))
    np.testing.assert_array_equal(shown.read("row"), One.images[list(best)])
    assert shown.committed() == {"job": "row"} and shown.where("row") == "here"


def test_a_part_is_seen_in_place_of_the_whole():
    shown = View(One(), itemgetter(slice(2, 4)))
    np.testing.assert_array_equal(shown.read("row"), One.images[2:4])
    assert shown.committed() == {"job": "row"} and shown.where("row") == "here"
