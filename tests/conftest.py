"""Garbage is looked for seldom: configurations are graphs of many small nodes, and of the time of
their tests a sixth went into looking for circles among them.
"""

import gc

gc.set_threshold(50_000, 20, 20)
